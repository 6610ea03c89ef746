"""Q-AGREL with symmetric feedback, written in each framework as its users would."""
