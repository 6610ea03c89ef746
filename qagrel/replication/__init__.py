"""The replication: the paper end to end, on the engine beside it.

`commands` (what each step of the pipeline does), `experiments` (params.yaml), `sweep` (many
runs), `results` (the committed files), `audit`, `notebooks`, `report`; `statistics` and
`figures` read results and never train.
"""
