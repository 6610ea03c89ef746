"use strict";
// The reader's page: one trial phase by phase, or many at speed.

const PAUSES = [300, 1900, 1400, 2300, 2600]; // milliseconds before the next phase
const FRAME = 12; // milliseconds of work a frame

const { hidden: HIDDEN, learning_rate: RATE, weight_range: RANGE } = DATA.spec;
const $ = (name) => document.getElementById(name);
const phases = [...$("phases").children];
const stage = new Stage($("stage"), [64, ...HIDDEN, 10]);
const isStill = matchMedia("(prefers-reduced-motion: reduce)");

const runs = {}, tallies = {};
let kind = "symmetric";
let scene; // the trial before the reader's eyes
let timer = null, running = null;

/** A network as it was before anything was learnt. */
function begin(which) {
  runs[which] = new Run(DATA, which);
  tallies[which] = new Tally();
}

// --- one trial -------------------------------------------------------------------------------

/** Put an image before the network; a drawn one has no label. */
function present(input, label) {
  clearTimeout(timer);
  scene = { input, label, trial: null, reached: 0 };
  view(0);
}

function presentDigit(goesOn = true) {
  const { sample } = runs[kind].next();
  present(runs[kind].image(sample), Number(DATA.labels[sample]));
  if (goesOn) later();
}

/** The next phase comes by itself, unless the reader wants to wait or has to answer. */
function later() {
  clearTimeout(timer);
  if (!$("pause").checked && canGoOn()) timer = setTimeout(goOn, PAUSES[scene.reached]);
}

function canGoOn() {
  const { reached, trial, input } = scene;
  return reached < 2 ? input.some((x) => x > 0) : reached < 5 && trial.reward !== undefined;
}

function goOn() {
  const run = runs[kind];
  if (scene.reached === 0) {
    scene.trial = run.show(scene.input, run.next());
    scene.trial.label = scene.label;
  }
  if (scene.reached === 4) learn(run);
  scene.reached += 1;
  view(scene.reached);
  later();
}

function answer(reward) {
  receiveReward(scene.trial, reward);
  goOn();
  $($("pause").checked ? "on" : "next").focus();
}

function learn(run) {
  const copy = (matrices) => matrices.map((matrix) => matrix.slice());
  scene.before = { weights: copy(run.weights), feedback: copy(run.feedback) };
  run.learn(scene.trial, scene.trial.reward);
  tallies[kind].add(scene.trial);
  scene.change = run.weights.map((after, l) => after.map((w, i) => w - scene.before.weights[l][i]));
  showTallies();
}

/** Show one of the phases reached. */
function view(phase) {
  const { trial, before, change, reached } = scene, run = runs[kind];
  stage.paintImage(scene.input);
  if (phase === 0) stage.drawWeights(run);
  else stage.drawPhase(trial, phase, before ?? run, change);
  stage.announce(phase > 1 ? verdict(trial, phase > 3) : "", phase > 3 ? trial.delta : null);
  phases.forEach((item, i) => {
    item.classList.toggle("current", phase === i + 1);
    item.querySelector("button").disabled = reached < i + 1;
    item.querySelector(".now").textContent = reached > i ? NOTES[i](trial) : "";
  });
  const isAsked = reached >= 2 && trial.reward === undefined;
  $("right").disabled = $("wrong").disabled = !isAsked;
  $("on").disabled = !canGoOn();
  $("said").textContent = told(phase, isAsked);
}

function verdict({ winner, reward }, isGiven) {
  return `says ${winner}${isGiven ? (reward ? " ✓" : " ✗") : ""}`;
}

const rounded = (q) => (q < 0 ? `(${signed(q)})` : q.toFixed(2));

/** What happens in each phase of this trial, in numbers. */
const NOTES = [
  ({ open }) => `${open[1].length} of ${HIDDEN[0]} and ${open[2].length} of ${HIDDEN[1]} gates of`
    + " the hidden layers are open.",
  ({ winner, q, explored }) => `${explored ? "Drawn" : "Highest"}: `
    + `${winner}, q = ${rounded(q[winner])}.`,
  ({ signal, open }) => `${open[2].length} and ${signal[1].filter((fb) => fb !== 0).length} units`
    + " receive it.",
  ({ reward, delta, q, winner }) => `δ = ${reward} − ${rounded(q[winner])} = ${signed(delta)}: `
    + `${delta > 0 ? "better" : "worse"} than expected.`,
  () => `${sum(scene.change.map((l) => l.filter((c) => c !== 0).length))} of `
    + `${sum(scene.change.map((l) => l.length))} synapses change. ${RECIPROCAL[kind]}`,
];
const RECIPROCAL = {
  symmetric: "Those that lead down are the same ones.",
  learned: "Those that lead down change by the same amounts.",
  fixed: "Those that lead down stay as they are.",
};

function told(phase, isAsked) {
  const { trial, label } = scene;
  const hint = label === null ? "" : ` (The data call it a ${label}.)`;
  if (isAsked) return `The network says ${trial.winner}. Right or wrong?${hint}`;
  if (phase === 0) return label === null ? "Draw, then press Next phase." : "A new image.";
  return `Phase ${phase}: ${phases[phase - 1].querySelector("button").textContent.toLowerCase()}.`;
}

// --- drawing ---------------------------------------------------------------------------------

let pencil = 27;

/** Blacken a pixel, and its neighbours a little; what was learnt from is replaced by a blank. */
function paint(pixel) {
  if (pixel < 0) return;
  stop();
  if (scene.label !== null || scene.reached > 0) present(new Float32Array(64), null);
  const away = (i) => Math.abs((i % 8) - (pixel % 8)) + Math.abs((i >> 3) - (pixel >> 3));
  scene.input = scene.input.map((level, i) => Math.max(level, [1, 0.375][away(i)] ?? 0));
  view(0);
}

function drawByKey(event) {
  const { key } = event;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -8, ArrowDown: 8 }[key];
  if (step === undefined && key !== " ") return;
  event.preventDefault();
  if (key === " ") paint(pencil);
  else pencil = (pencil + step + 64) % 64;
  stage.pointAt(pencil);
}

// --- many trials -----------------------------------------------------------------------------

function showTallies() {
  $("tally").textContent = `${kind[0].toUpperCase()}${kind.slice(1)} feedback: ${tallies[kind]}`;
  drawCurves($("reward"), tallies, "reward", [0, 0.25, 0.5, 0.75, 1]);
  drawCurves($("found"), tallies, "found", [0, 2, 4, 6, 8, 10]);
}

function step() {
  return tallies[kind].add(runs[kind].step());
}

/** Show what the last of many trials was, over the weights that they led to. */
function showLast(trial) {
  stage.paintImage(trial.activity[0]);
  stage.drawWeights(runs[kind], trial);
  stage.announce(verdict(trial, true), null); // a halo would flicker
  showTallies();
}

function frame(now) {
  const speed = Number($("speed").value);
  const due = running.due + (speed * (now - running.since)) / 1000;
  const end = performance.now() + FRAME;
  for (running.due = Math.min(due, 1 + speed / 10); running.due >= 1; running.due -= 1) {
    running.last = step();
    if (performance.now() > end) break;
  }
  if (running.last && now - running.shown > (isStill.matches ? 1000 : 80)) {
    showLast(running.last);
    Object.assign(running, { shown: now, last: null });
  }
  Object.assign(running, { since: now, handle: requestAnimationFrame(frame) });
}

function start() {
  setAside();
  running = { due: 1, since: performance.now(), shown: 0, last: null };
  running.handle = requestAnimationFrame(frame);
  $("run").textContent = "Stop";
}

function stop() {
  if (running === null) return;
  cancelAnimationFrame(running.handle);
  running = null;
  $("run").textContent = "Run";
  presentDigit(false);
}

/** The reader's trial makes room; what was not answered is not learnt from. */
function setAside() {
  present(new Float32Array(64), null);
  $("said").textContent = "A teacher who knows the classes answers.";
}

function hundred() {
  setAside();
  showLast(Array.from({ length: 100 }, step).at(-1));
}

function turnTo(which) {
  kind = which;
  $("command").textContent = `import qagrel
spec = qagrel.RunSpec(dataset="digits", feedback="${kind}", hidden=(${HIDDEN.join(", ")}),
    learning_rate=${RATE}, weight_range=${RANGE}, feedback_range=${RANGE}, batch_size=1,
    validation_size=0, stop_checks=0, drop_factor=1, max_epochs=1)
run = qagrel.train(spec)  # an epoch has ${DATA.labels.length} trials`;
  showTallies();
  if (running === null) presentDigit();
}

// --- at the start ----------------------------------------------------------------------------

["symmetric", "learned", "fixed"].forEach(begin);
$("pause").checked = isStill.matches;
$("right").onclick = () => answer(1);
$("wrong").onclick = () => answer(0);
$("on").onclick = goOn;
$("next").onclick = () => { stop(); presentDigit(); };
$("blank").onclick = () => { stop(); present(new Float32Array(64), null); stage.image.focus(); };
$("pause").onchange = later;
$("hundred").onclick = hundred;
$("run").onclick = () => (running ? stop() : start());
$("anew").onclick = () => { begin(kind); turnTo(kind); };
for (const choice of $("kinds").querySelectorAll("input")) {
  choice.onchange = () => turnTo(choice.value);
  if (choice.checked) kind = choice.value;
}
phases.forEach((item, i) => {
  item.querySelector("button").onclick = () => { clearTimeout(timer); view(i + 1); };
});
stage.image.onkeydown = drawByKey;
stage.image.onpointerdown = stage.image.onpointermove = (event) => {
  if (event.buttons) paint(stage.pixelAt(event));
};
stage.pointAt(pencil);
turnTo(kind);
