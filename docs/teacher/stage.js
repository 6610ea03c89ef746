"use strict";
// The network as a picture: a row a layer, outputs at the top, the image at the bottom.

const RED = "#d55e00", BLUE = "#0072b2", GREEN = "#009e73", INK = "#333333";
const SIZE = { width: 400, height: 478 };
const ROWS = [0, 262, 160, 66]; // heights of a layer's units
const RADII = [0, 8, 8, 11];
const TILE = { top: 278, pixel: 2.5 };
const IMAGE = { left: 136, top: 346, pixel: 16 };

const ofSign = (value) => (value > 0 ? RED : BLUE);
const largestOf = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);

function svg(parent, name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return parent.appendChild(made);
}

/** 64 squares, eight a row. */
function grid(parent, left, top, size) {
  return Array.from({ length: 64 }, (_, i) => svg(parent, "rect", {
    x: left + (i % 8) * size, y: top + Math.floor(i / 8) * size, width: size, height: size }));
}

class Stage {
  constructor(root, width) {
    this.root = root;
    root.setAttribute("viewBox", `0 0 ${SIZE.width} ${SIZE.height}`);
    this.halo = svg(root, "rect", { class: "halo", rx: 12, ...SIZE });
    this.places = width.map((n, l) => Array.from({ length: n }, (_, j) =>
      ({ x: 4 + ((j + 0.5) * 392) / n, y: ROWS[l] })));
    this.lines = [1, 2].map((l) => this.places[l].flatMap((from) =>
      this.places[l + 1].map((to) => this.line(`up-${l + 1}`,
        from.x, from.y - RADII[l] - 7, to.x, to.y + RADII[l + 1]))));
    this.fan = this.places[1].map(({ x }, j) => this.line("up-1",
      IMAGE.left + 8 * (j + 0.5), IMAGE.top - 3, x, TILE.top + 23));
    this.units = [1, 2, 3].map((l) => this.places[l].map((place, j) => this.unit(l, place, j)));
    this.tiles = this.places[1].map(({ x }) => {
      svg(root, "rect", { class: "tile", x: x - 10.5, y: TILE.top - 0.5, width: 21, height: 21 });
      return grid(root, x - 10, TILE.top, TILE.pixel);
    });
    this.captions();
  }

  line(kind, x1, y1, x2, y2) {
    return svg(this.root, "line", { class: `line ${kind}`, x1, y1, x2, y2, pathLength: 1 });
  }

  unit(l, { x, y }, j) {
    const group = svg(this.root, "g",
      { class: `unit layer-${l}`, transform: `translate(${x} ${y})` });
    const body = svg(group, "circle", { class: "body", r: RADII[l] });
    if (l === 3) {
      svg(group, "text", { class: "digit", y: 4 }, String(j));
      return { group, body, bar: svg(group, "rect", { class: "bar", x: -6, width: 12 }) };
    }
    const feedback = svg(group, "circle", { class: "feedback", cx: 10.5, cy: 6, r: 3.6 });
    const gate = svg(group, "rect", { class: "gate", x: -8, y: -14, width: 16, height: 3 });
    return { group, body, feedback, gate };
  }

  captions() {
    const caption = (x, y, text) => svg(this.root, "text", { class: "caption", x, y }, text);
    caption(4, 96, "actions and their values q");
    caption(4, 188, "second hidden layer");
    caption(4, 318, "first hidden layer, and each");
    caption(4, 331, "unit's synapses from the image");
    caption(31, 8, "q = 1");
    svg(this.root, "line", { class: "one", x1: 0, x2: SIZE.width, y1: 10, y2: 10 });
    this.said = svg(this.root, "text", { class: "said", x: 68, y: 420 });
    this.delta = svg(this.root, "text", { class: "said", x: 332, y: 420 });
    const image = svg(this.root, "g", { class: "image", tabindex: 0, role: "application",
      "aria-label": "Image of 8 by 8 pixels: arrow keys move, space paints" });
    const { left, top } = IMAGE;
    svg(image, "rect", { class: "frame", x: left - 1, y: top - 1, width: 130, height: 130 });
    this.pixels = grid(image, left, top, IMAGE.pixel);
    this.cursor = svg(image, "rect", { class: "cursor", width: 16, height: 16 });
    this.image = image;
  }

  /** Where the pencil of the keyboard is. */
  pointAt(pixel) {
    this.cursor.setAttribute("x", IMAGE.left + (pixel % 8) * IMAGE.pixel);
    this.cursor.setAttribute("y", IMAGE.top + Math.floor(pixel / 8) * IMAGE.pixel);
  }

  /** The pixel under a pointer, from -1 where there is none. */
  pixelAt(event) {
    const box = this.pixels[0].getBoundingClientRect();
    const [column, row] = [(event.clientX - box.left) / box.width,
      (event.clientY - box.top) / box.height].map(Math.floor);
    return Math.min(column, row) < 0 || Math.max(column, row) > 7 ? -1 : 8 * row + column;
  }

  /** Lines that are the stronger the larger their values are. */
  paintLines(lines, values, colour) {
    const most = largestOf(values);
    lines.forEach((line, i) => {
      const share = Math.abs(values[i]) / most, opacity = share === 0 ? 0 : 0.04 + 0.9 * share;
      const stroke = typeof colour === "string" ? colour : colour(values[i]);
      Object.assign(line.style, { stroke, strokeOpacity: opacity, strokeWidth: 0.6 + 1.6 * share });
    });
  }

  paintTiles(synapses) {
    const n = this.tiles.length, most = largestOf(synapses);
    this.tiles.forEach((tile, j) => tile.forEach((pixel, i) => {
      pixel.style.fill = ofSign(synapses[i * n + j]);
      pixel.style.fillOpacity = Math.sqrt(Math.abs(synapses[i * n + j]) / most);
    }));
  }

  paintImage(input) {
    this.pixels.forEach((pixel, i) => { pixel.style.fillOpacity = input[i]; });
  }

  /** What each unit does in a phase; before the first nothing is known. */
  paintUnits(trial, phase) {
    this.units.forEach((units, i) => {
      const l = i + 1, isOutput = l === 3, open = new Set(trial ? trial.open[l] : []);
      const [most, fed] = ["activity", "signal"].map((of) => largestOf(trial ? trial[of][l] : [0]));
      units.forEach(({ group, body, bar, feedback, gate }, j) => {
        const y = phase > 0 ? trial.activity[l][j] : 0;
        group.classList.toggle("closed", phase > 0 && !open.has(j));
        group.classList.toggle("won", phase > 1 && isOutput && j === trial.winner);
        group.classList.toggle("lost", phase > 1 && isOutput && j !== trial.winner);
        if (isOutput) {
          const height = 34 * Math.max(-0.25, Math.min(1.1, y));
          bar.setAttribute("y", -22 - Math.max(0, height));
          bar.setAttribute("height", Math.abs(height));
          return;
        }
        body.style.fillOpacity = 0.85 * (y / most);
        gate.classList.toggle("open", phase > 0 && open.has(j));
        feedback.style.fillOpacity = phase > 2 ? Math.abs(trial.signal[l][j]) / fed : 0;
      });
    });
  }

  /** The network before a trial, or at speed: its weights. */
  drawWeights(network, trial = null) {
    this.root.dataset.phase = 0;
    this.paintUnits(trial, trial ? 2 : 0);
    this.paintLines(this.fan, this.fan.map(() => 0), INK);
    this.lines.forEach((lines, i) => this.paintLines(lines, network.weights[i + 1], ofSign));
    this.paintTiles(network.weights[0]);
  }

  /** A phase of a trial; `before` are the weights and feedback weights that it began with. */
  drawPhase(trial, phase, before, change) {
    this.root.dataset.phase = phase;
    this.paintUnits(trial, phase);
    const { activity, signal } = trial;
    this.paintLines(this.fan, phase < 3 ? activity[1] : this.fan.map(() => 0), INK);
    this.paintTiles(phase < 5 ? before.weights[0] : change[0]);
    this.lines.forEach((lines, i) => {
      const l = i + 1, n = activity[l + 1].length, isOpen = (j) => activity[l][j] > 0;
      const [up, down] = [before.weights[l], before.feedback[l]];
      const values = up.map((w, s) => {
        const j = Math.floor(s / n), k = s % n;
        if (phase < 3) return isOpen(j) ? w * activity[l][j] : 0;
        if (phase < 5) return down[s] * signal[l + 1][k] * (isOpen(j) ? 1 : 0.1);
        return change[l][s];
      });
      this.paintLines(lines, values, phase < 3 ? INK : phase < 5 ? GREEN : ofSign);
    });
  }

  /** What is said beside the image, and the surprise that all synapses hear of, if any. */
  announce(said, delta) {
    this.said.textContent = said;
    this.delta.textContent = delta === null ? "" : `δ = ${signed(delta)}`;
    this.delta.style.fill = this.halo.style.fill = ofSign(delta ?? 0);
    this.halo.style.fillOpacity = delta === null ? 0 : 0.05 + 0.15 * Math.min(1, Math.abs(delta));
  }
}

function signed(number) {
  return `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`;
}
