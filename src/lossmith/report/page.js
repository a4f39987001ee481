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

  // The surface in three dimensions: cells from the back to the front, turned by two sliders or by dragging.
  const relief = (figure, data) => {
    const { height, marks } = data.solid;
    const [SIZE, TALL, CENTRE, MIDDLE] = [235, 0.62, 200, 150];
    const [across, along] = [data.x.length - 1, data.y.length - 1];
    const stride = Math.max(1, Math.ceil(across / 20));
    const svg = figure.querySelector(".relief svg");
    const [turn, tilt] = figure.querySelectorAll(".relief input");
    const one = (name) => svg.querySelector("." + name);
    const group = one("cells");
    const steps = (last) => Array.from({ length: Math.ceil(last / stride) }, (_, index) => index * stride);
    const cells = steps(across).flatMap(() => steps(along).map(() => group.appendChild(document.createElementNS(SVG, "path"))));
    let read = marks.minimum || [0, 0];
    let angles;

    const project = (i, j, high) => {
      const [u, v] = [i / across - 0.5, j / along - 0.5];
      const [a, e] = angles;
      const depth = u * Math.sin(a) + v * Math.cos(a);
      const up = (high - 0.5) * TALL * Math.cos(e) + depth * Math.sin(e);
      return [CENTRE + SIZE * (u * Math.cos(a) - v * Math.sin(a)), MIDDLE - SIZE * up];
    };
    const path = (points) => "M" + points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L") + "z";
    const place = (mark, at) => {
      const high = at && height[at[1]][at[0]];
      mark.style.display = at && high !== null ? "" : "none";
      return mark.style.display ? null : project(...at, high);
    };
    const label = (text, name, i, j) => {
      const [x, y] = project(i, j, 0);
      text.textContent = name;
      text.setAttribute("x", Math.min(320, Math.max(80, x + (x < CENTRE ? -30 : 30))));
      text.setAttribute("y", Math.min(295, y + 16));
    };
    const draw = () => {
      angles = [turn, tilt].map((slider) => (Number(slider.value) * Math.PI) / 180);
      const [sin, cos] = [Math.sin(angles[0]), Math.cos(angles[0])];
      one("floor").setAttribute("d", path([[0, 0], [across, 0], [across, along], [0, along]].map((at) => project(...at, 0))));
      const columns = sin > 0 ? steps(across).reverse() : steps(across);
      const rows = cos > 0 ? steps(along).reverse() : steps(along);
      let next = 0;
      for (const i of columns) {
        for (const j of rows) {
          const [right, top] = [Math.min(i + stride, across), Math.min(j + stride, along)];
          const corners = [[i, j], [right, j], [right, top], [i, top]];
          const highs = corners.map(([x, y]) => height[y][x]);
          const cell = cells[next++];
          const whole = highs.every((high) => high !== null);
          cell.setAttribute("d", whole ? path(corners.map((at, k) => project(...at, highs[k]))) : "");
          if (whole) cell.style.setProperty("--shade", `${(8 + 20 * highs.reduce((a, b) => a + b)).toFixed(0)}%`);
        }
      }
      const [first, second] = svg.querySelectorAll("text");
      label(first, data.names[0], across / 2, cos > 0 ? 0 : along);
      label(second, data.names[1], sin > 0 ? 0 : across, along / 2);
      const minimum = place(one("minimum"), marks.minimum);
      const target = place(one("target"), marks.target);
      if (minimum) ["cx", "cy"].forEach((name, k) => one("minimum").setAttribute(name, minimum[k]));
      if (target) one("target").setAttribute("d", `M${target[0] - 7} ${target[1]}h14M${target[0]} ${target[1] - 7}v14`);
      const dotted = place(one("dot"), read);
      place(one("stalk"), read);
      if (dotted) {
        const foot = project(...read, 0);
        ["cx", "cy"].forEach((name, k) => one("dot").setAttribute(name, dotted[k]));
        ["x1", "y1", "x2", "y2"].forEach((name, k) => one("stalk").setAttribute(name, [...dotted, ...foot][k]));
      }
      for (const [slider, name] of [[turn, "turn"], [tilt, "tilt"]]) {
        figure.querySelector(`[data-out=${name}]`).textContent = slider.value + "\u00b0";
        slider.setAttribute("aria-valuetext", `${name}ed by ${slider.value} degrees`);
      }
    };
    turn.addEventListener("input", draw);
    tilt.addEventListener("input", draw);
    let start;
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      start = [event.clientX, event.clientY, Number(turn.value), Number(tilt.value)];
    });
    svg.addEventListener("pointermove", (event) => {
      if (!svg.hasPointerCapture(event.pointerId)) return;
      const turned = start[2] + (event.clientX - start[0]) / 2;
      turn.value = ((((turned + 180) % 360) + 360) % 360) - 180;
      tilt.value = start[3] + (event.clientY - start[1]) / 2;
      draw();
    });
    return (i, j) => {
      read = [i, j];
      draw();
    };
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
    const point = data.solid ? relief(figure, data) : () => {};
    const show = () => {
      const [i, j] = [Number(across.value), Number(along.value)];
      for (const name of ["x1", "x2"]) upright.setAttribute(name, data.px[i]);
      for (const name of ["y1", "y2"]) level.setAttribute(name, data.py[j]);
      dots.replaceChildren();
      dot(dots, data.px[i], data.py[j], 1);
      point(i, j);
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
