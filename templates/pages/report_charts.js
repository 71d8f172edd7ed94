// The charts: all along one axis; what a chart shows follows from `view` alone.

const MOST_POINTS = 4000;
// With more points than so many their marks would be all that is seen of a line.
const MOST_MARKED = 60;
// Among so few, marks on the axis would stand between two steps.
const FEW_STEPS = 8;
const PAPER_WIDTH_PX = 680;
const COLOURS = 8;
const UNITS = [[1, "Seconds"], [60, "Minutes"], [3600, "Hours"], [86400, "Days"]];

class Charts {
  constructor(runs, root) {
    this.runs = runs;
    this.several = runs.length > 1;
    this.view = { axis: "steps", range: null, weight: 0.9, logarithmic: false, hidden: new Set(), isPaper: false };
    this.figures = [...root.querySelectorAll("[data-chart]")].map((figure) => this.figureOf(figure));
    this.onRange = () => {};
    this.onSample = () => {};
    this.smooth = new Map();
    this.findUnit();
  }

  figureOf(element) {
    const figure = { key: element.dataset.chart, plot: element.querySelector(".plot"), legend: element.querySelector(".legend") };
    figure.kinds = this.kindsOf(figure.key);
    figure.kinds.forEach((kind) => figure.legend.append(this.legendItem(figure, kind)));
    return figure;
  }

  // What a chart can show, each with its look where there is one run; the look of several is that of each run.
  kindsOf(key) {
    const alone = !this.several;
    const dense = [
      { key: "raw", name: "each step", colour: "raw", width: 0.8, isShown: alone },
      { key: "smooth", name: "smoothed", colour: 1, width: 2.5, isShown: true },
    ];
    if (key === "loss") {
      return [
        ...dense,
        { key: "average", name: "the trainer's average", colour: 7, dash: "dash", width: 2, isShown: alone },
        { key: "epochs", name: "epoch means", colour: 2, isMarked: true, width: 1, isShown: alone },
      ];
    }
    if (key === "seconds") return dense;
    if (key === "memory") {
      const kinds = [{ key: 2, name: "process" }, { key: 3, name: "GPU" }];
      const there = kinds.filter((kind) => this.runs.some((run) => run.memory.some((one) => one[kind.key] !== null)));
      return this.looking(there, true);
    }
    const names = new Set(this.runs.flatMap((run) => (key === "rates" ? Object.keys(run.rates) : seriesOf(run, key))));
    return this.looking([...names].map((name) => ({ key: name, name })), key !== "rates");
  }

  looking(kinds, isMarked) {
    const dashes = ["solid", "dash", "dot", "dashdot", "longdash"];
    return kinds.map((kind, place) => ({
      ...kind, isMarked, colour: (place % COLOURS) + 1, dash: dashes[place % dashes.length], width: 2,
      isShown: !this.several || place === 0,
    }));
  }

  legendItem(figure, kind) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = kind.isShown;
    box.addEventListener("change", () => {
      kind.isShown = box.checked;
      this.draw(figure);
    });
    label.append(box, ...(this.several ? [] : [swatch(kind)]), named(kind.name));
    const item = document.createElement("li");
    item.append(label);
    return item;
  }

  findUnit() {
    const ends = this.runs.map((run) => timeOf(run, Infinity) - run.began).filter(Number.isFinite);
    const longest = Math.max(0, ...ends);
    this.unit = UNITS.findLast(([seconds]) => longest >= 2 * seconds) ?? UNITS[0];
  }

  get axisName() {
    return this.view.axis === "steps" ? "Step" : `${this.unit[1]} since the beginning`;
  }

  x(run, step, time) {
    if (this.view.axis === "steps") return step;
    const at = time ?? timeOf(run, step);
    return at === null || run.began === null ? null : (at - run.began) / this.unit[0];
  }

  // Where the axis begins and ends when all is shown.
  get whole() {
    let [low, high] = [Infinity, -Infinity];
    for (const [index, run] of this.runs.entries()) {
      if (this.view.hidden.has(index)) continue;
      const steps = [run.steps[0], run.steps.at(-1), ...run.checkpoints.map((one) => one[0]), ...run.samples];
      for (const step of steps.filter((one) => one !== undefined)) {
        const x = this.x(run, step, null);
        if (x !== null) [low, high] = [Math.min(low, x), Math.max(high, x)];
      }
    }
    if (low > high) return [0, 1];
    return low < high ? [low, high] : [low - 0.5, high + 0.5];
  }

  // A line as [x, y] of every point.
  points(run, chart, kind) {
    if (chart === "memory") return this.placed(run, run.memory.map((one) => [one[1], one[kind.key] === null ? null : one[kind.key] / 1e9, one[0]]));
    if (kind.key === "epochs") return this.placed(run, run.epochs.map(([, step, loss]) => [step, loss, null]));
    const series = run.series.find((one) => one.name === kind.key);
    if (chart === "validation" || chart === "others") return this.placed(run, series ? series.steps.map((step, place) => [step, series.values[place], null]) : []);
    const values = this.valuesOf(run, chart, kind);
    if (this.view.axis === "steps") return [run.steps, values];
    return this.placed(run, run.steps.map((step, place) => [step, values[place], run.times[place]]));
  }

  placed(run, points) {
    const kept = points.map(([step, value, time]) => [this.x(run, step, time), value]).filter(([x]) => x !== null);
    return [kept.map(([x]) => x), kept.map(([, value]) => value)];
  }

  valuesOf(run, chart, kind) {
    if (chart === "rates") return run.rates[kind.key] ?? run.steps.map(() => null);
    const raw = chart === "loss" ? run.losses : run.seconds;
    if (kind.key === "average") return run.averages;
    if (kind.key === "raw") return raw;
    const name = `${this.runs.indexOf(run)} ${chart}`;
    const known = this.smooth.get(name);
    if (known?.weight === this.view.weight) return known.values;
    const values = smoothed(raw, this.view.weight);
    this.smooth.set(name, { weight: this.view.weight, values });
    return values;
  }

  tracesOf(figure, colour, range) {
    const found = [];
    for (const [index, run] of this.runs.entries()) {
      if (this.view.hidden.has(index)) continue;
      for (const kind of figure.kinds.filter((one) => one.isShown)) {
        const seen = thinned(...this.points(run, figure.key, kind), range, MOST_POINTS);
        const own = colour(this.several ? run.colour : kind.colour);
        const isFaint = this.several && kind.key === "raw";
        found.push({
          type: "scatter", x: seen.x, y: seen.y, mode: kind.isMarked && seen.x.length <= MOST_MARKED ? "lines+markers" : "lines", connectgaps: figure.key === "seconds",
          name: plainText(this.several ? `${run.label}, ${kind.name}` : kind.name),
          line: { color: own, width: kind.width, dash: this.several ? run.dash : kind.dash ?? "solid", simplify: false },
          marker: { color: own, size: 7, symbol: "diamond" }, opacity: isFaint ? 0.5 : 1,
          hovertemplate: "%{y}<extra>%{fullData.name}</extra>",
        });
      }
      found.push(...this.marksOf(run, index, colour));
    }
    return found;
  }

  marksOf(run, index, colour) {
    const row = [...this.runs.keys()].filter((one) => !this.view.hidden.has(one)).indexOf(index);
    const own = colour(this.several ? run.colour : "text");
    const mark = (name, steps, texts, symbol) => ({
      type: "scatter", mode: "markers", yaxis: "y2", name: plainText(this.several ? `${run.label}, ${name}` : name),
      x: steps.map((step) => this.x(run, step, null)), y: steps.map(() => (symbol === "circle" ? 0.22 : -0.22) - row), text: texts, customdata: steps,
      marker: { symbol, size: 9, color: own, line: { width: 0 } }, cliponaxis: false,
      hovertemplate: "%{text}<extra>%{fullData.name}</extra>", meta: name,
    });
    return [
      mark("LoRA", run.checkpoints.map((one) => one[0]), run.checkpoints.map((one) => plainText(one[1])), "triangle-up"),
      mark("samples", run.samples, run.samples.map((step) => `step ${step}`), "circle"),
    ].filter((one) => one.x.length);
  }

  layoutOf(figure, traces, colour, range) {
    const rows = Math.max(1, this.runs.length - this.view.hidden.size);
    const marks = this.runs.some((run) => run.checkpoints.length || run.samples.length);
    const strip = marks ? Math.min(0.34, 0.04 + 0.055 * rows) : 0;
    const ink = { color: colour("quiet"), gridcolor: colour("grid"), zeroline: false, linecolor: colour("line"), tickcolor: colour("line") };
    const isLogarithmic = this.view.logarithmic && (figure.key === "loss" || figure.key === "validation");
    const fromZero = ["rates", "seconds", "memory"].includes(figure.key);
    return {
      autosize: !this.view.isPaper, ...(this.view.isPaper ? { width: PAPER_WIDTH_PX } : {}),
      height: figure.plot.clientHeight || 300, margin: { l: figure.plot.clientWidth < 500 ? 54 : 72, r: 16, t: 12, b: 44 }, showlegend: false,
      paper_bgcolor: colour("card"), plot_bgcolor: colour("card"),
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("text") },
      hovermode: "x unified", hoverlabel: { bgcolor: colour("card"), bordercolor: colour("quiet"), font: { color: colour("text") } },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      xaxis: { ...ink, range, anchor: marks ? "y2" : "y", title: { text: this.axisName, standoff: 8 }, hoverformat: ",.8~g", showline: true,
        unifiedhovertitle: { text: this.view.axis === "steps" ? "Step %{x}" : `%{x} ${this.unit[1].toLowerCase()}` }, ...(this.view.axis === "steps" ? { tickformat: ",.8~g", ...(range[1] - range[0] < FEW_STEPS ? { dtick: 1 } : {}) } : {}) },
      yaxis: {
        ...ink, domain: [strip + (marks ? 0.03 : 0), 1], fixedrange: true, hoverformat: ".6~g",
        ...(figure.key === "rates" ? { tickformat: ".2~e" } : {}), type: isLogarithmic ? "log" : "linear",
        ...(fromZero ? { range: [0, highestOf(traces) * 1.08 || 1] } : {}),
        title: { text: { seconds: "seconds", memory: "GB" }[figure.key] ?? "" },
      },
      ...(marks ? { yaxis2: { domain: [0, strip], range: [-rows + 0.45, 0.55], fixedrange: true, visible: false } } : {}),
    };
  }

  draw(figure) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(typeof name === "number" || name === "raw" ? (name === "raw" ? "--raw" : `--line-${name}`) : `--${name}`).trim();
    // Marks at either end are drawn whole.
    const [low, high] = this.view.range ?? this.whole;
    const room = this.view.range ? 0 : (high - low) * 0.012;
    const range = [low - room, high + room];
    const config = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };
    const traces = this.tracesOf(figure, colour, range);
    Plotly.react(figure.plot, traces, this.layoutOf(figure, traces, colour, range), config);
    if (!figure.isListening) this.listen(figure);
  }

  listen(figure) {
    figure.isListening = true;
    figure.plot.on("plotly_relayout", (change) => {
      const [low, high] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (low !== undefined && high !== undefined) this.show([low, high]);
    });
    figure.plot.on("plotly_doubleclick", () => this.show(null));
    figure.plot.on("plotly_click", (event) => {
      const mark = event.points.find((point) => point.data.meta === "samples");
      if (mark) this.onSample(mark.customdata);
    });
  }

  // Shows a part of the axis, all of it for null.
  show(range) {
    this.view.range = range && range[1] > range[0] ? range : null;
    this.drawAll();
  }

  change(values) {
    if (values.axis && values.axis !== this.view.axis) this.view.range = null;
    Object.assign(this.view, values);
    this.drawAll();
  }

  drawAll() {
    this.figures.forEach((figure) => this.draw(figure));
    this.onRange(this.view.range ?? this.whole, this.axisName);
  }
}

function highestOf(traces) {
  let highest = 0;
  for (const trace of traces.filter((one) => one.yaxis !== "y2")) {
    for (const value of trace.y) highest = Math.max(highest, value ?? 0);
  }
  return highest;
}

function seriesOf(run, chart) {
  return run.series.filter((one) => one.isValidation === (chart === "validation")).map((one) => one.name);
}

// The charts' library reads a few tags in texts; a name has none.
function plainText(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("%{", "%\u200b{");
}

function named(text) {
  const element = document.createElement("bdi");
  element.textContent = text;
  return element;
}

const LENGTHS = { dash: "7 4", dot: "2 3", dashdot: "7 3 2 3", longdash: "11 4" };

function swatch(kind) {
  const create = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    return element;
  };
  const drawing = create("svg", { class: "swatch", viewBox: "0 0 36 10", "aria-hidden": "true" });
  drawing.append(create("line", { class: `line-${kind.colour}`, x1: 0, y1: 5, x2: 36, y2: 5, "stroke-dasharray": LENGTHS[kind.dash] ?? "" }));
  if (kind.isMarked) drawing.append(create("path", { class: `line-${kind.colour} filled`, d: "M18 0 23 5 18 10 13 5Z" }));
  return drawing;
}
