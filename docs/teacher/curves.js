"use strict";
// What came of many trials: reward and classes found, a curve a kind of feedback.

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** The outcomes of a run's last trials, and points of its curves, which thin out as they grow. */
class Tally {
  constructor() {
    this.trials = 0;
    this.rewards = [];
    this.byClass = Array.from({ length: 10 }, () => []);
    this.every = 10;
    this.points = [];
  }

  add(trial) {
    const { reward, label } = trial;
    this.trials += 1;
    this.rewards = [...this.rewards, reward].slice(-100);
    if (label !== null) this.byClass[label] = [...this.byClass[label], reward].slice(-10);
    if (this.trials % this.every === 0) {
      this.points.push({ trials: this.trials, reward: this.reward, found: this.found.length });
    }
    if (this.points.length === 400) {
      this.points = this.points.filter((_, i) => i % 2 === 1);
      this.every *= 2;
    }
    return trial;
  }

  get reward() {
    return sum(this.rewards) / Math.max(1, this.rewards.length);
  }

  /** The classes of which at least 5 of the last 10 images were rewarded. */
  get found() {
    return [...this.byClass.keys()].filter((label) => sum(this.byClass[label]) >= 5);
  }

  toString() {
    const n = this.trials.toLocaleString("en"), { found } = this;
    const which = found.length ? ` (${found.join(", ")})` : "";
    return `${n} trial${n === "1" ? "" : "s"}; reward of the last 100: ${this.reward.toFixed(2)}; `
      + `classes found: ${found.length} of 10${which}.`;
  }
}

/** Draw one of the numbers of all tallies; levels are the ticks of its axis, the last on top. */
function drawCurves(root, tallies, name, levels) {
  const last = Math.max(200, ...Object.values(tallies).map((tally) => tally.trials));
  const [left, right, top, bottom] = [34, 336, 10, 150];
  const x = (trials) => left + ((right - left) * trials) / last;
  const y = (value) => bottom - ((bottom - top) * value) / levels.at(-1);
  root.replaceChildren();
  root.setAttribute("viewBox", "0 0 360 182");
  for (const level of levels) {
    const at = y(level);
    svg(root, "line", { class: "level", x1: left, x2: right, y1: at, y2: at });
    svg(root, "text", { x: left - 5, y: at + 4, "text-anchor": "end" }, String(level));
  }
  const power = 10 ** Math.floor(Math.log10(last));
  const step = last < 2 * power ? power / 2 : last < 5 * power ? power : 2 * power;
  for (let trials = 0; trials <= last; trials += step) {
    const text = trials.toLocaleString("en");
    svg(root, "text", { x: x(trials), y: 165, "text-anchor": "middle" }, text);
  }
  svg(root, "text", { x: (left + right) / 2, y: 179, "text-anchor": "middle" }, "trials");
  svg(root, "path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` });
  for (const [kind, { points }] of Object.entries(tallies)) {
    const path = points.map((p) => `${x(p.trials).toFixed(1)} ${y(p[name]).toFixed(1)}`);
    if (path.length) svg(root, "path", { class: `curve ${kind}`, d: `M${path.join("L")}` });
  }
}
