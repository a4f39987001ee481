"use strict";
// Reads numbers that the page holds, writes text and moves marks. It fetches nothing and builds no HTML from strings.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const shown = (value) => (typeof value === "number" ? String(Number(value.toPrecision(4))) : value);

  const cell = (row, tag, text) => {
    const made = document.createElement(tag);
    made.textContent = text;
    row.append(made);
    return made;
  };
  const dot = (group, x, y, series) => {
    if (y === null) return;
    const made = document.createElementNS(SVG, "circle");
    made.setAttribute("cx", x);
    made.setAttribute("cy", y);
    made.setAttribute("r", 3.5);
    made.setAttribute("class", "dot line-" + (series % 4));
    group.append(made);
  };
  const nearest = (places, place) =>
    places.reduce((best, one, index) => (Math.abs(one - place) < Math.abs(places[best] - place) ? index : best), 0);
  const inside = (svg, event) => {
    const box = svg.getBoundingClientRect();
    const view = svg.viewBox.baseVal;
    return [((event.clientX - box.left) * view.width) / box.width, ((event.clientY - box.top) * view.height) / box.height];
  };
  const follow = (svg, move) => {
    const heard = (event) => move(...inside(svg, event));
    svg.addEventListener("pointermove", (event) => event.pointerType === "mouse" && heard(event));
    svg.addEventListener("pointerdown", heard);
  };

  // A line figure: one slider, one row of numbers for each series.
  const line = (figure, data) => {
    const svg = figure.querySelector("svg");
    const [slider] = figure.querySelectorAll("input[type=range]");
    const hair = svg.querySelector(".hair");
    const dots = svg.querySelector(".dots");
    const body = figure.querySelector(".readout tbody");
    const at = figure.querySelector(".at");
    const names = [...new Set(data.rows.map((row) => row.name))];
    const labels = [...figure.querySelectorAll(".legend li")].map((item) => item.textContent);
    const series = [...new Set(data.rows.map((row) => row.series))];
    slider.max = data.x.length - 1;
    const cells = series.map((number, place) => {
      const row = document.createElement("tr");
      const head = cell(row, "th", labels[place] || "");
      head.scope = "row";
      body.append(row);
      return names.map(() => cell(row, "td", ""));
    });
    const show = () => {
      const index = Number(slider.value);
      hair.setAttribute("x1", data.px[index]);
      hair.setAttribute("x2", data.px[index]);
      dots.replaceChildren();
      for (const row of data.rows) {
        dot(dots, data.px[index], row.py[index], row.series);
        cells[series.indexOf(row.series)][names.indexOf(row.name)].textContent = shown(row.y[index]);
      }
      at.textContent = shown(data.x[index]);
      const told = data.rows.map((row) => `${labels[series.indexOf(row.series)]} ${row.name} ${shown(row.y[index])}`);
      slider.setAttribute("aria-valuetext", `at ${shown(data.x[index])}: ${told.join(", ")}`);
    };
    slider.value = Math.round((data.x.length - 1) * 0.62);
    slider.addEventListener("input", show);
    follow(svg, (x) => {
      slider.value = nearest(data.px, x);
      show();
    });
    show();
  };

  // The surface: two sliders, one point.
  const plane = (figure, data) => {
    const svg = figure.querySelector("svg");
    const [across, along] = figure.querySelectorAll("input[type=range]");
    const [upright, level] = svg.querySelectorAll(".hair");
    const dots = svg.querySelector(".dots");
    const out = Object.fromEntries([...figure.querySelectorAll("[data-out]")].map((one) => [one.dataset.out, one]));
    across.max = data.x.length - 1;
    along.max = data.y.length - 1;
    const show = () => {
      const [i, j] = [Number(across.value), Number(along.value)];
      for (const name of ["x1", "x2"]) upright.setAttribute(name, data.px[i]);
      for (const name of ["y1", "y2"]) level.setAttribute(name, data.py[j]);
      dots.replaceChildren();
      dot(dots, data.px[i], data.py[j], 1);
      const told = { x: data.x[i], y: data.y[j], value: data.value[j][i], slope_x: data.slope_x[j][i], slope_y: data.slope_y[j][i] };
      for (const [name, value] of Object.entries(told)) out[name].textContent = shown(value);
      across.setAttribute("aria-valuetext", `${shown(told.x)}, loss ${shown(told.value)}`);
      along.setAttribute("aria-valuetext", `${shown(told.y)}, loss ${shown(told.value)}`);
    };
    [across.value, along.value] = data.at;
    across.addEventListener("input", show);
    along.addEventListener("input", show);
    follow(svg, (x, y) => {
      across.value = nearest(data.px, x);
      along.value = nearest(data.py, y);
      show();
    });
    show();
  };

  for (const figure of document.querySelectorAll("figure[data-kind]")) {
    const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    if (!data.x) continue;
    (figure.dataset.kind === "surface" ? plane : line)(figure, data);
    figure.classList.add("live");
  }

  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const label = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `use ${isDark() ? "light" : "dark"} colours`);
  };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  dark.addEventListener("change", label);
  label();
  root.classList.add("scripted");
})();
