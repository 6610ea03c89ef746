// Draws the charts of a page and tells, below each, what the chosen run is and how to derive it.
(() => {
  "use strict";
  const GAP = 70; // of axes and padding beside a panel

  const text = (tag, content) => Object.assign(document.createElement(tag), { textContent: content });

  function told(run, seed, profile) {
    const name = `${run.row}, seed ${seed}`;
    const command = `qagrel audit --profile ${profile} --full --run "${name}"`;
    const parts = [
      text("p", `${run.label}, seed ${seed}. This trains it again and compares every digit:`),
      text("pre", command),
      text("p", "The run's complete description (qagrel.RunSpec):"),
      text("pre", JSON.stringify({ ...run.spec, seed }, null, 1).replaceAll(/\n\s+(?=[\d\]])/g, "")),
    ];
    for (const part of parts.filter((part) => part.tagName === "PRE")) part.tabIndex = 0;
    return parts;
  }

  async function draw(holder) {
    const name = holder.id.replace("chart-", "");
    const { spec, runs, profile } = JSON.parse(document.getElementById(`data-${name}`).textContent);
    const below = document.getElementById(`derive-${name}`);
    const options = { renderer: "svg", actions: false, bind: `#choices-${name}` };
    let width = 0;

    async function fit() {
      if (holder.clientWidth === width) return;
      width = holder.clientWidth;
      for (const panel of spec.vconcat) panel.width = Math.max(width - GAP, 200);
      document.querySelector(options.bind).replaceChildren();
      const { view } = await vegaEmbed(holder, spec, options);
      const show = () => {
        below.replaceChildren(...told(runs[view.signal("row")], view.signal("seed"), profile));
      };
      const choose = (name) => (_, item) => {
        const value = item?.datum?.[name];
        if (value !== undefined) view.signal(name, value).runAsync();
      };
      view.addEventListener("click", choose("row"));
      view.addEventListener("pointerover", choose("seed"));
      view.addSignalListener("row", show);
      view.addSignalListener("seed", show);
      show();
    }

    await fit();
    let waiting;
    addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(fit, 200);
    });
  }

  document.querySelectorAll(".chart").forEach(draw);
})();
