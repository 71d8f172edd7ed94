// The samples: a slider picks a step, and one picture opens in a dialog with keys to go on from there.

class Samples {
  constructor() {
    this.grid = document.getElementById("grid");
    this.slider = document.getElementById("step-slider");
    this.large = document.getElementById("large");
    this.dialog = document.getElementById("zoom");
    const heads = [...this.grid.querySelectorAll("thead [data-column]")];
    this.columns = heads.map((head) => head.textContent);
    this.steps = heads.map((head) => Number(head.dataset.step));
    this.rows = [...this.grid.querySelectorAll("tr.drawn")].map((row) => this.rowOf(row));
    this.slider.addEventListener("input", () => this.showStep(Number(this.slider.value)));
    this.listenInDialog();
    this.showStep(this.fullest());
  }

  // The last step at which most pictures were drawn: runs need not have drawn at the same ones. What was drawn before
  // the first step is of the base model.
  fullest() {
    const drawn = (column) => this.rows.filter((row) => row.cells[column].querySelector("img")).length;
    const counts = this.steps.map((step, column) => (step === 0 && this.steps.length > 1 ? -1 : drawn(column)));
    return counts.lastIndexOf(Math.max(...counts));
  }

  rowOf(element) {
    const body = element.closest("tbody");
    const prompt = body.querySelector(".prompt");
    const row = {
      body,
      prompt: prompt.querySelector("strong").textContent.trim(),
      about: [...prompt.querySelectorAll("span")].map((span) => span.textContent.trim().replace(/\s+/g, " ")),
      run: element.querySelector(".run")?.textContent.trim() ?? "",
      mark: element.querySelector(".run .swatch"),
      cells: [...element.querySelectorAll("td")],
    };
    row.cells.forEach((cell, column) => {
      const picture = cell.querySelector("img");
      if (picture) cell.replaceChildren(this.button(picture, () => this.open(row, column)));
    });
    return row;
  }

  button(picture, action) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pic";
    button.append(picture);
    button.addEventListener("click", action);
    return button;
  }

  // Shows what all runs drew of all prompts at a step.
  showStep(column) {
    this.slider.value = String(column);
    this.slider.setAttribute("aria-valuetext", this.columns[column]);
    document.getElementById("step-shown").textContent = this.columns[column];
    this.grid.querySelectorAll(".at-step").forEach((cell) => cell.classList.remove("at-step"));
    this.grid.querySelectorAll(`[data-column="${column}"]`).forEach((cell) => cell.classList.add("at-step"));
    const prompts = Map.groupBy ? [...Map.groupBy(this.rows, (row) => row.body).values()] : this.rows.map((row) => [row]);
    const groups = this.rows.some((row) => row.run) ? prompts : [this.rows];
    this.large.replaceChildren(...groups.map((rows) => this.groupOf(rows, column)));
  }

  groupOf(rows, column) {
    const list = document.createElement("ul");
    list.append(...rows.map((row) => this.largeOf(row, column)));
    if (!rows[0].run) return list;
    const group = document.createElement("div");
    const heading = document.createElement("h3");
    heading.append(named(rows[0].prompt));
    group.append(heading, list);
    return group;
  }

  showStepNumber(step) {
    const column = this.steps.indexOf(step);
    if (column >= 0) this.showStep(column);
  }

  largeOf(row, column) {
    const figure = document.createElement("figure");
    const picture = row.cells[column].querySelector("img");
    if (picture) figure.append(this.button(picture.cloneNode(), () => this.open(row, column)));
    else figure.append(placeholder(row.cells[column]));
    const caption = document.createElement("figcaption");
    if (row.mark) caption.append(row.mark.cloneNode(true));
    caption.append(named(row.run || row.prompt));
    figure.append(caption);
    const item = document.createElement("li");
    item.append(figure);
    return item;
  }

  open(row, column) {
    this.at = { row, column };
    this.fill();
    if (!this.dialog.open) this.dialog.showModal();
  }

  // The next picture of the same row, forwards or backwards; null at its end.
  next(direction) {
    const { row, column } = this.at;
    for (let place = column + direction; place >= 0 && place < row.cells.length; place += direction) {
      if (row.cells[place].querySelector("img")) return place;
    }
    return null;
  }

  go(direction) {
    const column = this.next(direction);
    if (column === null) return;
    this.at.column = column;
    this.fill();
    this.showStep(column);
  }

  fill() {
    const { row, column } = this.at;
    const picture = row.cells[column].querySelector("img");
    const shown = document.getElementById("zoom-picture");
    shown.src = picture.src;
    shown.alt = picture.alt;
    document.getElementById("zoom-title").textContent = [this.columns[column], row.run].filter(Boolean).join(", ");
    const size = row.cells[column].dataset.size;
    document.getElementById("zoom-text").textContent = [row.prompt, ...row.about, size ? `drawn at ${size} pixels` : ""].filter(Boolean).join(" · ");
    document.getElementById("zoom-before").disabled = this.next(-1) === null;
    document.getElementById("zoom-after").disabled = this.next(1) === null;
  }

  listenInDialog() {
    document.getElementById("zoom-before").addEventListener("click", () => this.go(-1));
    document.getElementById("zoom-after").addEventListener("click", () => this.go(1));
    document.getElementById("zoom-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("keydown", (event) => {
      const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!direction) return;
      event.preventDefault();
      this.go(direction);
    });
  }
}

function placeholder(cell) {
  const element = document.createElement("p");
  element.className = "gone";
  element.textContent = cell.querySelector(".gone")?.textContent ?? "No picture at this step.";
  return element;
}
