"use strict";
// The event display: one canvas a view; charge, truth, prediction or errors; zoom, pan and hover.
for (const place of document.querySelectorAll(".display")) {
  const data = JSON.parse(document.getElementById(place.dataset.events).textContent);
  if (data.events.length) start(place, data);
}

function start(place, data) {
  const state = { event: data.events[0], mode: "truth", true: true, found: true };
  const add = (parent, tag, text = "", name = "") => {
    const made = parent.appendChild(document.createElement(tag));
    made.textContent = text;
    made.className = name;
    return made;
  };
  const bar = add(place, "div", "", "controls");
  const choices = (name, options) => {
    const group = add(bar, "span", "", "choices");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", name);
    return options.map(([text, chosen, choose]) => {
      const button = add(group, "button", text);
      button.type = "button";
      button.addEventListener("click", () => { choose(); show(); });
      return [button, chosen];
    });
  };
  const buttons = [
    ...choices("Event", data.events.map(event => [
      `${event.rank} ${event.name}`, () => state.event === event,
      () => { state.event = event; build(); },
    ])),
    ...choices("Pixels", data.events[0].modes.map(mode => [
      mode, () => state.mode === mode, () => { state.mode = mode; },
    ])),
  ];
  if (data.events.some(event => event.planes.some(plane => plane.marks.length))) {
    buttons.push(...choices("Points", [["true", "true points"], ["found", "found points"]].map(
      ([which, text]) => [text, () => state[which], () => { state[which] = !state[which]; }])));
  }
  let views = [];
  choices("View", [
    ["+", null, () => views.forEach(view => zoom(view, 0.7))],
    ["−", null, () => views.forEach(view => zoom(view, 1 / 0.7))],
    ["reset", null, () => views.forEach(reset)],
  ]);
  const words = add(place, "p", "", "words");
  const row = add(place, "div", "", "views");
  const legend = add(place, "p", "", "legend");
  const hover = add(place, "p", "Hover over a pixel: its value and classes. Wheel: zoom; drag: move; double click: all.", "hover");
  const asked = hover.textContent;

  function build() {
    row.replaceChildren();
    views = state.event.planes.map(plane => {
      const figure = add(row, "figure");
      add(figure, "figcaption", `${plane.title}: ${plane.axes[0]} (up) and ${plane.axes[1]} (right)`);
      const canvas = add(figure, "canvas");
      canvas.width = canvas.height = 640;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `View ${plane.title} of event ${state.event.name}`);
      const view = { plane, canvas, at: new Map() };
      plane.row.forEach((r, i) => view.at.set(r + "," + plane.column[i], i));
      reset(view);
      listen(view);
      return view;
    });
  }

  // The window is in cm: its lower left corner, and its side.
  function reset(view) {
    const { low, high, pixel } = view.plane;
    view.x = low[1] * pixel[1];
    view.y = low[0] * pixel[0];
    view.side = Math.max((high[0] - low[0]) * pixel[0], (high[1] - low[1]) * pixel[1]);
  }
  function zoom(view, factor, x = view.x + view.side / 2, y = view.y + view.side / 2) {
    view.x = x - (x - view.x) * factor;
    view.y = y - (y - view.y) * factor;
    view.side *= factor;
  }
  function where(view, event) {
    const box = view.canvas.getBoundingClientRect();
    return [
      view.x + (event.clientX - box.left) / box.width * view.side,
      view.y + (box.bottom - event.clientY) / box.height * view.side,
    ];
  }
  function listen(view) {
    let held = null;
    const { canvas } = view;
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      zoom(view, event.deltaY < 0 ? 0.85 : 1 / 0.85, ...where(view, event));
      draw(view);
    }, { passive: false });
    canvas.addEventListener("pointerdown", event => {
      held = where(view, event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointerup", () => { held = null; });
    canvas.addEventListener("pointerleave", () => { hover.textContent = asked; });
    canvas.addEventListener("dblclick", () => { reset(view); draw(view); });
    canvas.addEventListener("pointermove", event => {
      const [x, y] = where(view, event);
      if (held) {
        view.x += held[0] - x;
        view.y += held[1] - y;
        draw(view);
        return;
      }
      hover.textContent = say(view, x, y);
    });
  }
  function say(view, x, y) {
    const { plane } = view, { labels, method } = state.event;
    const r = Math.floor(y / plane.pixel[0]), c = Math.floor(x / plane.pixel[1]);
    const place = `${plane.title}: ${plane.axes[0]} ${y.toFixed(1)} cm, ${plane.axes[1]} ${x.toFixed(1)} cm`;
    const i = view.at.get(r + "," + c);
    if (i === undefined) return place;
    const name = k => k < 0 ? "none" : labels[k][0];
    let text = `${place}; value ${plane.value[i]}; true ${name(plane.true[i])}`;
    if (state.event.modes.includes("prediction")) {
      text += `; ${method}: ${name(plane.found[i])}`;
      if (plane.score.length) text += ` (${plane.score[i]} %)`;
    }
    return text;
  }

  function colour(plane, i) {
    const { labels } = state.event;
    if (state.mode === "charge") {
      const shade = Math.sqrt(Math.min(Math.max(plane.value[i] / plane.full, 0), 1));
      return `hsl(210 ${Math.round(35 - 20 * shade)}% ${Math.round(28 + 66 * shade)}%)`;
    }
    if (state.mode === "errors") return plane.wrong[i] ? data.colours.wrong : "#5d6874";
    const k = (state.mode === "truth" ? plane.true : plane.found)[i];
    return k < 0 ? "#808891" : labels[k][1];
  }
  function draw(view) {
    const { plane, canvas } = view, [high, wide] = plane.pixel;
    const pen = canvas.getContext("2d"), scale = canvas.width / view.side;
    const left = x => (x - view.x) * scale, top = y => canvas.height - (y - view.y) * scale;
    pen.fillStyle = "#0d131b";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    const w = Math.max(wide * scale, 2.5), h = Math.max(high * scale, 2.5);
    plane.row.forEach((r, i) => {
      pen.fillStyle = colour(plane, i);
      pen.fillRect(left(plane.column[i] * wide), top((r + 1) * high), w, h);
    });
    for (const [[low, start, up, end], isTrue] of plane.boxes) {
      if (!state[isTrue ? "true" : "found"]) continue;
      pen.strokeStyle = isTrue ? data.colours.true : data.colours.found;
      pen.lineWidth = 2.5;
      pen.strokeRect(left(start * wide), top(up * high), (end - start) * wide * scale, (up - low) * high * scale);
    }
    let best = true;
    for (const [kind, r, c, score] of plane.marks) {
      const isTrue = score === null;
      if (!state[isTrue ? "true" : "found"]) continue;
      const x = left(c * wide), y = top(r * high);
      const vertex = state.event.target === "vertex";
      pen.strokeStyle = pen.fillStyle = vertex && !isTrue ? data.colours.found : data.colours.kinds[kind];
      const weak = vertex ? !best : score < 0.5;
      if (!isTrue) best = false;
      pen.lineWidth = !isTrue && weak ? 2 : 3.5;
      pen.globalAlpha = isTrue || !weak ? 1 : 0.5;
      pen.beginPath();
      if (isTrue) pen.arc(x, y, 10, 0, 2 * Math.PI);
      else if (vertex) { pen.moveTo(x - 7, y - 7); pen.lineTo(x + 7, y + 7); pen.moveTo(x - 7, y + 7); pen.lineTo(x + 7, y - 7); }
      else pen.arc(x, y, 5, 0, 2 * Math.PI);
      if (isTrue || vertex) pen.stroke(); else pen.fill();
      pen.globalAlpha = 1;
    }
    bar10(pen, view, scale);
  }
  // A round length to compare with.
  function bar10(pen, view, scale) {
    const wish = view.side / 5, ten = 10 ** Math.floor(Math.log10(wish));
    const length = [5, 2, 1].find(n => n * ten <= wish) * ten;
    pen.fillStyle = "#e8ecf0";
    pen.fillRect(20, 610, length * scale, 4);
    pen.font = "20px sans-serif";
    pen.fillText(`${+length.toPrecision(2)} cm`, 20, 600);
  }
  function explain() {
    const { labels, planes } = state.event, entries = [];
    if (state.mode === "errors") entries.push(["wrong", data.colours.wrong], ["right", "#5d6874"]);
    else if (state.mode !== "charge") {
      const which = state.mode === "truth" ? "true" : "found";
      const seen = new Set(planes.flatMap(plane => plane[which]));
      entries.push(...labels.filter((_, k) => seen.has(k)));
    }
    const kinds = new Set(planes.flatMap(plane => plane.marks.map(mark => mark[0])));
    if (state.event.target === "vertex") entries.push(["correct vertex", data.colours.true], ["predicted", data.colours.found]);
    else for (const kind of kinds) entries.push([kind.replace("_", " "), data.colours.kinds[kind]]);
    legend.replaceChildren();
    for (const [name, shade] of entries.slice(0, 12)) {
      const entry = add(legend, "span", name);
      const patch = document.createElement("i");
      patch.style.background = shade;
      entry.prepend(patch);
    }
  }
  function show() {
    words.textContent = `${state.event.rank} event of ${state.event.method}, ${state.event.name}: ${state.event.words}.`;
    for (const [button, chosen] of buttons) button.setAttribute("aria-pressed", String(chosen()));
    views.forEach(draw);
    explain();
  }
  build();
  place.hidden = false;
  show();
}
