// Brings the page to life: without this script everything but charts, slider and filter is there.

const byId = (id) => document.getElementById(id);
document.documentElement.classList.remove("plain");
const { runs } = JSON.parse(byId("data").textContent);

const samples = byId("grid") ? new Samples() : null;
const charts = byId("chart-controls") ? new Charts(runs, document) : null;

function toSample(step) {
  samples?.showStepNumber(step);
  byId("samples")?.scrollIntoView();
}

function connectCharts() {
  const [from, to] = [byId("range-from"), byId("range-to")];
  const rounded = (value) => String(charts.view.axis === "steps" ? Math.round(value) : Number(value.toPrecision(6)));
  charts.onRange = ([low, high], name) => {
    from.value = rounded(low);
    to.value = rounded(high);
    byId("range-name").textContent = charts.view.axis === "steps" ? "Steps shown" : `${name.split(" ")[0]} shown`;
  };
  const showRange = () => charts.show([Number(from.value), Number(to.value)]);
  from.addEventListener("change", showRange);
  to.addEventListener("change", showRange);
  byId("range-all").addEventListener("click", () => charts.show(null));
  byId("chart-controls").addEventListener("submit", (event) => event.preventDefault());
  byId("smoothing").addEventListener("input", (event) => {
    byId("smoothing-shown").textContent = event.target.value;
    charts.change({ weight: Number(event.target.value) });
  });
  byId("logarithmic").addEventListener("change", (event) => charts.change({ logarithmic: event.target.checked }));
  document.querySelectorAll('[name="axis"]').forEach((radio) => radio.addEventListener("change", () => charts.change({ axis: radio.value })));
  document.querySelectorAll("[data-run][type=checkbox]").forEach((box) =>
    box.addEventListener("change", () => {
      const hidden = new Set(charts.view.hidden);
      if (box.checked) hidden.delete(Number(box.dataset.run));
      else hidden.add(Number(box.dataset.run));
      charts.change({ hidden });
    }),
  );
  charts.onSample = toSample;
  byId("save-csv").addEventListener("click", saveCsv);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.drawAll());
  // A form keeps what was chosen when a page is loaded again; the charts begin anew.
  byId("chart-controls").reset();
  byId("smoothing-shown").textContent = byId("smoothing").value;
  charts.drawAll();
}

function saveCsv() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([asCsv(runs)], { type: "text/csv;charset=utf-8" }));
  link.download = `${runs.map((run) => run.run_id).slice(0, 3).join(" ")}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

function connectFilter() {
  const groups = [...document.querySelectorAll(".setting-group")];
  const opened = groups.map((group) => group.open);
  byId("filter").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    groups.forEach((group, place) => {
      const rows = [...group.querySelectorAll("tbody tr")];
      const kept = rows.filter((row) => words.every((word) => row.textContent.toLowerCase().includes(word)));
      rows.forEach((row) => (row.hidden = !kept.includes(row)));
      group.hidden = kept.length === 0;
      group.open = words.length ? true : opened[place];
      group.querySelector(".count").textContent = kept.length;
      found += kept.length;
    });
    byId("filter-count").textContent = words.length ? `${found} found` : "";
  });
}

function connectPrinting() {
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => (details.open = true));
    document.documentElement.classList.add("paper");
    charts?.change({ isPaper: true });
  });
  addEventListener("afterprint", () => {
    closed.forEach((details) => (details.open = false));
    document.documentElement.classList.remove("paper");
    charts?.change({ isPaper: false });
  });
}

document.querySelectorAll("a[data-step]").forEach((link) =>
  link.addEventListener("click", () => samples?.showStepNumber(Number(link.dataset.step))),
);
if (byId("filter")) connectFilter();
if (charts) connectCharts();
connectPrinting();
