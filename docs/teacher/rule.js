"use strict";
// Q-AGREL one trial at a time, with the bits of the package: qagrel/kernels/rule.py in JavaScript.
//
// Numbers are of single precision (Float32Array, Math.fround).  Every sum has one accumulator,
// which takes up products in rising order of units, each fused with its addition (`fma`).  Layer 0
// is the input; weights[l] and feedback[l] are the synapses between the layers l and l + 1, unit j
// below and k above at [j * width[l + 1] + k].

const { fround } = Math;

// --- arithmetic ------------------------------------------------------------------------------

const wide = new Float64Array(1), words = new Uint32Array(wide.buffer);
const HIGH = new Uint8Array(Uint32Array.of(1).buffer)[0], LOW = 1 - HIGH; // their places

/**
 * a * b + c of single-precision numbers, rounded once.
 *
 * The product is exact in double precision.  The sum is rounded there to odd, so that rounding it
 * again gives what one rounding would (Boldo and Melquiond, 2008).
 */
function fma(a, b, c) {
  const product = a * b, total = product + c, part = total - product;
  const error = (product - (total - part)) + (c - part);
  if (!(error !== 0 && Number.isFinite(total))) return fround(total);
  wide[0] = total;
  if (words[LOW] % 2 === 0) { // the odd neighbour on the side of the error
    if ((error > 0) === (total > 0)) words[LOW] += 1;
    else if (words[LOW]-- === 0) words[HIGH] -= 1;
  }
  return fround(wide[0]);
}

const POWERS_OF_TWO = [1]; // 2^0, 2^-1 ... 2^-1075, which is 0
while (POWERS_OF_TWO.length < 1076) POWERS_OF_TWO.push(POWERS_OF_TWO.at(-1) / 2);
const EXP_SERIES = [1];
for (let k = 1, factorial = 1; k <= 13; k++) EXP_SERIES.unshift(1 / (factorial *= k));

/** E to the power x for x <= 0, in double precision, as qagrel/kernels/elementary.py has it. */
function exp(x) {
  if (!(-745.2 < x && x <= 0)) return 0;
  const k = Math.trunc(x * 1.4426950408889634 - 0.5);
  const r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  return EXP_SERIES.reduce((series, term) => series * r + term, 0) * POWERS_OF_TWO[-k];
}

// --- random numbers --------------------------------------------------------------------------

const MASK_64 = (1n << 64n) - 1n, MASK_128 = (1n << 128n) - 1n;

/** NumPy's Generator on its PCG64, from the state of one. */
class Stream {
  constructor([state, increment]) {
    this.state = BigInt(state);
    this.increment = BigInt(increment);
    this.half = null; // of a 64-bit number whose lower half was used
  }

  next64() {
    this.state = (this.state * 0x2360ed051fc65da44385df649fccf645n + this.increment) & MASK_128;
    const folded = (this.state >> 64n) ^ (this.state & MASK_64), turn = this.state >> 122n;
    return ((folded >> turn) | (folded << (64n - turn))) & MASK_64;
  }

  next32() {
    const both = this.half ?? this.next64();
    this.half = this.half === null ? both >> 32n : null;
    return Number(both & 0xffffffffn);
  }

  /** n uniform numbers in [0, 1). */
  random(n) {
    return Float64Array.from({ length: n }, () => Number(this.next64() >> 11n) / 2 ** 53);
  }

  /** The numbers below n in random order. */
  permutation(n) {
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const mask = 2 ** (32 - Math.clz32(i)) - 1;
      let j;
      do j = (this.next32() & mask) >>> 0; while (j > i);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

// --- the five phases of a trial --------------------------------------------------------------

/** The synapses between layers of these widths, drawn uniformly from [-range, range]. */
function drawWeights(width, range, stream) {
  return width.slice(1).map((above, l) =>
    Float32Array.from(stream.random(width[l] * above), (uniform) => (2 * uniform - 1) * range));
}

/** The units of a layer that are active: those whose gate is open (g of Eqs. 9, 11). */
function openGates(activity) {
  return [...activity.keys()].filter((j) => activity[j] > 0);
}

/** 1. Feedforward pass (Eqs. 2 to 5): the activities of every layer, and the open gates. */
function forward(network, input) {
  const activity = [input], open = [openGates(input)];
  network.weights.forEach((weights, l) => {
    const n = network.width[l + 1], total = new Float32Array(n);
    for (const j of open[l]) {
      const y = activity[l][j];
      for (let k = 0; k < n; k++) total[k] = fma(y, weights[j * n + k], total[k]);
    }
    const isOutput = l === network.weights.length - 1;
    activity.push(isOutput ? total : total.map((a) => Math.max(a, 0))); // ReLU (Eq. 3)
    open.push(isOutput ? [...total.keys()] : openGates(total));
  });
  return { activity, open, q: activity.at(-1) };
}

function bestAction(q) {
  return q.reduce((best, value, action) => (value > q[best] ? action : best), 0);
}

function boltzmannAction(q, uniform) {
  const largest = q[bestAction(q)];
  const share = Array.from(q, (value) => exp(fround(value - largest)));
  const total = share.reduce((sum, each) => sum + each, 0);
  let cumulative = 0;
  for (let action = 0; action < q.length - 1; action++) {
    cumulative += share[action];
    if (uniform * total < cumulative) return action;
  }
  return q.length - 1;
}

/** 2. Action selection (Eq. 6): the best action, or with chance epsilon a random one. */
function selectAction(trial, epsilon, draws) {
  trial.explored = draws.explore < epsilon;
  trial.winner = trial.explored ? boltzmannAction(trial.q, draws.choose) : bestAction(trial.q);
}

/** 3. Feedback (Eqs. 10, 12, 14): the winner sends one, and open gates let it through. */
function propagateFeedback(network, trial) {
  const top = network.weights.length;
  trial.signal = network.width.map((n) => new Float32Array(n)); // none reaches the input
  trial.signal[top][trial.winner] = 1;
  for (let l = top - 1; l > 0; l--) {
    const above = trial.signal[l + 1], feedback = network.feedback[l];
    for (const j of trial.open[l]) {
      let total = 0;
      for (let k = 0; k < above.length; k++) {
        if (above[k] !== 0) total = fma(above[k], feedback[j * above.length + k], total);
      }
      trial.signal[l][j] = total;
    }
  }
}

/** 4. Reward prediction error (Eq. 7), heard by all: delta = r - q_s. */
function receiveReward(trial, reward) {
  trial.reward = reward;
  trial.delta = reward - trial.q[trial.winner];
}

/** 5. Update (Eqs. 1, 8 to 13) by alpha times delta times y times fb; feedback that learns too. */
function changeSynapses(network, trial) {
  const factor = fround(network.rate * trial.delta);
  trial.signal.slice(1).forEach((signal, l) => {
    const taught = signal.map((fb) => fb * factor), n = signal.length;
    const learning = network.kind === "learned" && l > 0
      ? [network.weights[l], network.feedback[l]] : [network.weights[l]];
    for (const synapses of learning) {
      for (const j of trial.open[l]) {
        const y = trial.activity[l][j];
        for (let k = 0; k < n; k++) synapses[j * n + k] += fround(y * taught[k]);
      }
    }
  });
}

// --- a run -----------------------------------------------------------------------------------

/** The run that qagrel.train makes of the specification, trial by trial; `data` is data.js's. */
class Run {
  constructor(data, kind) {
    const { spec, streams } = data;
    this.data = data;
    this.width = [64, ...spec.hidden, 10];
    [this.rate, this.kind] = [spec.learning_rate, kind];
    this.weights = drawWeights(this.width, spec.weight_range, new Stream(streams.forward));
    this.feedback = kind === "symmetric" ? this.weights
      : drawWeights(this.width, spec.feedback_range, new Stream(streams.feedback));
    this.orders = new Stream(streams.orders);
    this.exploration = new Stream(streams.exploration);
    this.orders.permutation(data.labels.length); // drawn by the package for another purpose
    this.trials = 0;
    this.left = [];
  }

  /** The next sample, and what decides whether its action explores; drawn epoch by epoch. */
  next() {
    if (this.left.length === 0) {
      const order = this.orders.permutation(this.data.labels.length);
      const [explore, choose] = [0, 1].map(() => this.exploration.random(order.length));
      this.left = order.map((sample, i) => (
        { sample, explore: explore[i], choose: choose[i] })).reverse();
    }
    return this.left.at(-1);
  }

  /** An image meets the network, up to the action and the feedback that it sends. */
  show(input, draws) {
    const trial = forward(this, input);
    selectAction(trial, this.data.spec.epsilon, draws);
    propagateFeedback(this, trial);
    return trial;
  }

  /** What comes of the action is learnt from, and the next trial has draws of its own. */
  learn(trial, reward) {
    receiveReward(trial, reward);
    changeSynapses(this, trial);
    this.left.pop();
    this.trials += 1;
  }

  /** A whole trial, with a teacher who knows the labels. */
  step() {
    const draws = this.next(), trial = this.show(this.image(draws.sample), draws);
    trial.label = Number(this.data.labels[draws.sample]);
    this.learn(trial, Number(trial.winner === trial.label));
    return trial;
  }

  /** The input of a sample: grey levels 0 to 16, a letter a pixel, as 0 to 1. */
  image(sample) {
    const levels = this.data.images.slice(64 * sample, 64 * (sample + 1));
    return Float32Array.from(levels, (level) => parseInt(level, 17) / 16);
  }
}
