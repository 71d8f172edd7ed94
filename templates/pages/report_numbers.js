// Numbers of the runs: pure functions, nothing here knows of the page.

// The exponential moving average of TensorBoard's scalars: its beginning is not drawn to 0. Gaps stay gaps.
function smoothed(values, weight) {
  const isConstant = values.every((value) => value === values[0]);
  let last = 0;
  let count = 0;
  return values.map((value) => {
    if (value === null || isConstant) return value;
    last = last * weight + (1 - weight) * value;
    count += 1;
    return last / (1 - weight ** count);
  });
}

// The place of the last entry of a rising list that is not above a value, -1 where all are.
function placeUpTo(rising, value) {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// The part of a line that is seen, in at most so many points: of each stretch its lowest and its highest one.
// One point beyond either edge stays, so that the line is led out of the picture.
function thinned(x, y, range, most) {
  const from = range ? Math.max(0, placeUpTo(x, range[0])) : 0;
  const to = range ? Math.min(x.length - 1, placeUpTo(x, range[1]) + 1) : x.length - 1;
  const count = to - from + 1;
  if (count <= most) return { x: x.slice(from, to + 1), y: y.slice(from, to + 1), isExact: true };
  const chosen = [from];
  const stretches = Math.floor((most - 2) / 2);
  for (let stretch = 0; stretch < stretches; stretch += 1) {
    const begin = from + 1 + Math.floor((stretch * (count - 2)) / stretches);
    const end = from + 1 + Math.floor(((stretch + 1) * (count - 2)) / stretches);
    chosen.push(...extremes(y, begin, end));
  }
  chosen.push(to);
  return { x: chosen.map((place) => x[place]), y: chosen.map((place) => y[place]), isExact: false };
}

// The places of the lowest and the highest number of a stretch, in their order; a stretch without any is a gap.
function extremes(y, begin, end) {
  let lowest = -1;
  let highest = -1;
  for (let place = begin; place < end; place += 1) {
    if (y[place] === null) continue;
    if (lowest < 0 || y[place] < y[lowest]) lowest = place;
    if (highest < 0 || y[place] > y[highest]) highest = place;
  }
  if (lowest < 0) return begin < end ? [begin] : [];
  if (lowest === highest) return [lowest];
  return lowest < highest ? [lowest, highest] : [highest, lowest];
}

// When a step was done, in seconds since 1970: that of the last step up to it whose time is known.
function timeOf(run, step) {
  for (let place = placeUpTo(run.steps, step); place >= 0; place -= 1) {
    if (run.times[place] !== null) return run.times[place];
  }
  return run.began;
}

// Every step of the runs as CSV; a number is written as it was told.
function asCsv(runs) {
  const rates = [...new Set(runs.flatMap((run) => Object.keys(run.rates)))];
  const series = [...new Set(runs.flatMap((run) => run.series.map((one) => one.name)))];
  const lines = [["run", "step", "time", "loss", "average_loss", ...rates.map((name) => `lr ${name}`), "seconds", ...series]];
  for (const run of runs) {
    const told = new Map(run.series.map((one) => [one.name, new Map(one.steps.map((step, place) => [step, one.values[place]]))]));
    const all = [...new Set([...run.steps, ...run.series.flatMap((one) => one.steps)])].sort((one, other) => one - other);
    for (const step of all) {
      const found = placeUpTo(run.steps, step);
      const place = run.steps[found] === step ? found : -1;
      const at = (values) => (place < 0 || !values ? null : values[place]);
      lines.push([
        run.label, step, at(run.times), at(run.losses), at(run.averages), ...rates.map((name) => at(run.rates[name])),
        at(run.seconds), ...series.map((name) => told.get(name)?.get(step) ?? null),
      ]);
    }
  }
  return lines.map((cells) => cells.map(csvCell).join(",") + "\r\n").join("");
}

// A text that begins like a formula would be one to a spreadsheet.
function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
