/* Draws a figure (controller/figures/figure.py as JSON) with Observable Plot; needs d3 and Plot loaded before.

   drawFigure(element, figure, {dark})   puts it into `element`; again with another figure to bring it up to date.
       dark: true or false; where nothing is said, what the reader's system prefers, or the next [data-theme] above says.
   Colours are variables of figure.css, so that a change between light and dark draws nothing anew. */
"use strict";

(() => {
  const colour = name => `var(--figure-${name})`;
  const SYMBOLS = {
    circle: "circle", ring: "circle", square: "square", triangle: "triangle", diamond: "diamond2", star: "star",
    cross: "times", plus: "plus",
  };
  const STROKED = new Set(["ring", "cross", "plus"]);
  const RANK = { points: 0, line: 1, bars: 1, spans: 1, edge: 1, rule: 2, interval: 2, band: 3 };
  const number = d3.format(".5~g");
  const moment = date => d3.utcFormat(date % 86400000 ? (date % 60000 ? "%H:%M:%S" : "%H:%M") : "%b %-d")(date);
  const HEIGHT = 300, LANE = 34;

  const make = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const axisText = axis => (axis.unit ? `${axis.label} [${axis.unit}]` : axis.label);
  const places = (axis, values) => (axis.scale === "time" ? values.map(v => (v === null ? null : new Date(1000 * v))) : values);
  const rows = columns => d3.range(columns[0].length).map(i => columns.map(column => column[i]));

  /* What Plot draws for each kind of layer. */
  const MARKS = {
    points(layer, panel) {
      const data = rows([places(panel.x, layer.x), places(panel.y, layer.y), layer.labels.length ? layer.labels : layer.x]);
      const shared = { x: "0", y: "1" };
      const paint = STROKED.has(layer.symbol)
        ? { stroke: colour(layer.colour), strokeWidth: 1.7, fill: "none" }
        : { fill: colour(layer.colour), stroke: "var(--figure-paper)", strokeWidth: 0.8 };
      const marks = [Plot.dot(data, { ...shared, ...paint, symbol: SYMBOLS[layer.symbol], r: data.length > 400 ? 3 : 4.2 })];
      if (layer.labels.length) {
        marks.push(Plot.text(data, { ...shared, text: "2", dy: -11, fill: colour(layer.colour), fontSize: 10 }));
      }
      return marks;
    },
    line(layer, panel) {
      const data = rows([places(panel.x, layer.x), layer.y]);
      const curve = { none: "linear", after: "step-after", before: "step-before" }[layer.step];
      const dash = layer.dashed ? { strokeDasharray: "5 4" } : {};
      const paint = { stroke: colour(layer.colour), strokeWidth: 2, ...dash };
      return [Plot.line(data, { x: "0", y: "1", curve, ...paint })];
    },
    band(layer, panel) {
      const data = rows([places(panel.x, layer.x), layer.low, layer.high]);
      return [Plot.areaY(data, { x: "0", y1: "1", y2: "2", fill: colour(layer.colour), fillOpacity: 0.25 })];
    },
    interval(layer, panel) {
      const data = rows([places(layer.along === "y" ? panel.x : panel.y, layer.at), layer.low, layer.high]);
      const thin = data.length > 150;
      const paint = { stroke: colour(layer.colour), strokeWidth: thin ? 1 : 2.4, strokeOpacity: thin ? 0.4 : 0.6 };
      return [layer.along === "y"
        ? Plot.ruleX(data, { x: "0", y1: "1", y2: "2", ...paint })
        : Plot.ruleY(data, { y: "0", x1: "1", x2: "2", ...paint })];
    },
    bars(layer) {
      const data = rows([layer.at, layer.value]);
      return [Plot.barX(data, { y: "0", x: "1", fill: colour(layer.colour), insetTop: 4, insetBottom: 4 })];
    },
    spans(layer, panel) {
      const data = rows([layer.lane, places(panel.x, layer.start), places(panel.x, layer.end)]);
      const paint = { fill: colour(layer.colour), fillOpacity: 0.7, stroke: colour(layer.colour), strokeWidth: 1 };
      return [Plot.barX(data, { y: "0", x1: "1", x2: "2", insetTop: 5, insetBottom: 5, ...paint })];
    },
    edge(layer, panel) {
      const data = rows([places(panel.x, layer.x)]);
      const paint = { stroke: colour(layer.colour), strokeWidth: 1.7, symbol: "times", r: 3.5 };
      return [Plot.dot(data, { x: "0", frameAnchor: "bottom", dy: -5, ...paint })];
    },
    rule(layer, panel) {
      const paint = { stroke: colour(layer.colour), strokeDasharray: "2 3" };
      const text = { text: () => layer.label, fill: colour(layer.colour), fontSize: 11 };
      const [value] = places(panel[layer.along], [layer.value]);
      const below = layer.side === "below";
      const beside = { dx: below ? -5 : 5, textAnchor: below ? "end" : "start" };
      return layer.along === "y"
        ? [Plot.ruleY([value], paint), Plot.text([value], { y: d => d, frameAnchor: "right", textAnchor: "end", dy: below ? 8 : -7, ...text })]
        : [Plot.ruleX([value], paint), Plot.text([value], { x: d => d, frameAnchor: "top", ...beside, ...text })];
    },
    parallel(layer) {
      const marks = [];
      const best = new Set(layer.best);
      const order = d3.sort(d3.range(layer.rows.length), i => (best.has(i) ? 2 : layer.shade[i] ?? -1));
      for (const measured of [false, true]) {
        const data = order.filter(i => (layer.shade[i] !== null) === measured)
          .flatMap(i => layer.rows[i].map((y, x) => ({ i, x, y })));
        const mix = i => `color-mix(in oklab, var(--figure-best) ${Math.round(100 * layer.shade[i])}%, var(--figure-worst))`;
        const paint = measured
          ? { stroke: { value: data.map(d => (best.has(d.i) ? "var(--figure-vermillion)" : mix(d.i))), scale: null } }
          : { stroke: colour("grey"), strokeDasharray: "2 3" };
        const strokeOpacity = layer.rows.length > 300 ? 0.35 : 0.75;
        marks.push(Plot.line(data, { x: "x", y: "y", z: "i", strokeWidth: 1.4, strokeOpacity, ...paint }));
      }
      marks.push(Plot.ruleX(d3.range(layer.scales.length), { stroke: colour("ink"), strokeWidth: 1.2 }));
      const ticks = layer.scales.flatMap((scale, x) => scale.ticks.map(([y, text]) => ({ x, y, text })));
      const halo = { stroke: "var(--figure-paper)", strokeWidth: 4, fill: colour("ink") };
      marks.push(Plot.text(ticks, { x: "x", y: "y", text: "text", textAnchor: "start", dx: 5, fontSize: 11, ...halo }));
      return marks;
    },
  };

  /* Where a layer's tips stand: [x, y, text], either coordinate null where the frame says it. */
  const PLACES = {
    points: (layer, panel) => rows([places(panel.x, layer.x), places(panel.y, layer.y), layer.tips]),
    interval: (layer, panel) => (layer.along === "y"
      ? rows([places(panel.x, layer.at), layer.high, layer.tips])
      : rows([layer.high, layer.at, layer.tips])),
    line: (layer, panel) => rows([places(panel.x, layer.x), layer.y, layer.tips]),
    bars: layer => rows([layer.value, layer.at, layer.tips]),
    spans: (layer, panel) => rows([places(panel.x, layer.start.map((s, i) => (s + layer.end[i]) / 2)), layer.lane, layer.tips]),
    parallel: layer => layer.rows.flatMap((row, i) => row.map((y, x) => [x, y, layer.tips[i]])),
  };

  const fold = (text, width) => text.split("\n").flatMap(line => {
    const found = [""];
    for (const word of line.split(" ")) {
      if (found.at(-1).length + word.length > width && found.at(-1)) found.push("");
      found[found.length - 1] += (found.at(-1) ? " " : "") + word;
    }
    return found;
  }).join("\n");

  function tipOf(panel) {
    const data = panel.layers.filter(layer => PLACES[layer.mark] && layer.tips?.length)
      .flatMap(layer => PLACES[layer.mark](layer, panel)).filter(([x, y]) => x !== null && y !== null);
    if (!data.length) return [];
    const how = { x: "0", y: "1", title: d => fold(d[2], 46) };
    return [Plot.tip(data, Plot.pointer({
      ...how, fill: "var(--figure-paper)", stroke: colour("grey"), fontSize: 12, lineHeight: 1.25,
    }))];
  }

  function scaleOf(axis) {
    const type = { linear: "linear", log: "log", time: "utc", band: "band" }[axis.scale];
    if (axis.scale === "band") return { type, domain: axis.categories, label: null };
    const domain = axis.domain ? { domain: places(axis, axis.domain) } : {};
    const ticks = { tickFormat: axis.scale === "time" ? moment : number };
    return { type, ...domain, ...ticks, nice: !axis.domain && axis.scale === "linear", label: null,
      ...(axis.scale === "log" ? { inset: 12 } : {}) };
  }

  function plotOf(panel, width, summary) {
    const parallel = panel.layers.find(layer => layer.mark === "parallel");
    const lanes = panel.y.scale === "band" ? panel.y.categories : [];
    const longest = Math.max(0, ...lanes.map(name => name.length));
    const options = {
      width, height: lanes.length ? Math.max(110, 60 + LANE * lanes.length) : Math.max(HEIGHT, Math.min(440, 0.42 * width)),
      marginLeft: lanes.length ? Math.min(0.4 * width, 18 + 6.6 * longest) : 52, marginRight: 18, marginTop: 14, marginBottom: 34,
      ariaLabel: panel.title || summary, className: "figure-plot",
    };
    if (parallel) {
      const n = parallel.scales.length;
      const whole = Math.max(width, 108 * n);  // a narrow screen scrolls
      const each = (whole - 124) / Math.max(1, n - 1);
      const names = parallel.scales.map((scale, x) => ({ x, text: fold(axisText(scale), Math.max(8, each / 7)) }));
      const deepest = Math.max(...names.map(name => name.text.split("\n").length));
      const side = Math.max(62, ...[names[0], names.at(-1)].flatMap(name => name.text.split("\n").map(line => 3.6 * line.length)));
      const frame = { ...options, width: whole, style: { maxWidth: "none" }, height: HEIGHT + 50 + 14 * deepest, marginLeft: side, marginRight: side, marginTop: 18 + 14 * deepest };
      return Plot.plot({
        ...frame, x: { axis: null, domain: [0, n - 1] }, y: { axis: null, domain: [0, 1] },
        marks: [
          ...panel.layers.flatMap(layer => MARKS[layer.mark](layer, panel)),
          Plot.text(names, { x: "x", text: "text", frameAnchor: "top", lineAnchor: "bottom", dy: -14, fill: colour("ink") }),
          ...tipOf(panel),
        ],
      });
    }
    const grid = { stroke: "var(--figure-grid)", strokeOpacity: 1 };
    const narrow = { ticks: Math.max(3, Math.floor(width / 90)) };
    return Plot.plot({
      ...options,
      x: { ...scaleOf(panel.x), ...(panel.x.scale === "band" ? {} : narrow) },
      y: { ...scaleOf(panel.y), ...(panel.y.scale === "band" ? {} : { ticks: 6 }) },
      marks: [
        ...(panel.y.scale === "band" ? [] : [Plot.gridY(grid)]), ...(panel.x.scale === "band" ? [] : [Plot.gridX(grid)]),
        ...panel.layers.flatMap(layer => MARKS[layer.mark](layer, panel)), ...tipOf(panel),
      ],
    });
  }

  /* One picture with one name: the names that Plot gives to groups of lines and ticks may stand on nothing without a role. */
  function pictureOf(plot) {
    for (const part of plot.querySelectorAll("[aria-label]")) {
      part.dataset.mark = part.getAttribute("aria-label");
      part.removeAttribute("aria-label");
    }
    plot.setAttribute("role", "img");
    return plot;
  }

  function swatch(layer) {
    const size = 14, middle = size / 2;
    const svg = d3.create("svg").attr("width", size).attr("height", size).attr("aria-hidden", "true");
    const paint = colour(layer.colour);
    const shape = layer.mark === "points" ? layer.symbol : layer.mark === "edge" ? "cross" : null;
    const types = {
      circle: d3.symbolCircle, ring: d3.symbolCircle, square: d3.symbolSquare, triangle: d3.symbolTriangle,
      diamond: d3.symbolDiamond2, star: d3.symbolStar, cross: d3.symbolTimes, plus: d3.symbolPlus,
    };
    if (shape) {
      const path = svg.append("path").attr("d", d3.symbol(types[shape], 60)()).attr("transform", `translate(${middle},${middle})`);
      path.attr("fill", STROKED.has(shape) ? "none" : paint).attr("stroke", STROKED.has(shape) ? paint : "none");
      path.attr("stroke-width", 1.7);
    } else if (layer.mark === "line" || layer.mark === "rule") {
      svg.append("path").attr("d", `M0,${middle}H${size}`).attr("stroke", paint).attr("stroke-width", 2)
        .attr("stroke-dasharray", layer.dashed || layer.mark === "rule" ? "3 2" : null);
    } else {
      const soft = layer.mark === "interval" || layer.mark === "band";
      svg.append("rect").attr("width", size).attr("height", size - 4).attr("y", 2).attr("fill", paint)
        .attr("fill-opacity", soft ? 0.5 : 1);
    }
    return svg.node();
  }

  function legendOf(figure) {
    const found = new Map();
    for (const layer of figure.panels.flatMap(panel => panel.layers)) {
      if (!layer.series || layer.mark === "parallel") continue;
      if (!found.has(layer.series) || RANK[layer.mark] < RANK[found.get(layer.series).mark]) found.set(layer.series, layer);
    }
    const list = make("ul", { class: "figure-legend" });
    for (const [series, layer] of found) list.append(make("li", {}, swatch(layer), series));
    if (figure.panels.some(panel => panel.layers.some(layer => layer.mark === "parallel"))) {
      list.append(make("li", {}, "worst ", make("span", { class: "figure-ramp" }), " best"));
    }
    return list;
  }

  function tableOf(table, open) {
    const head = make("tr");
    for (const name of table.columns) head.append(make("th", { scope: "col" }, name));
    const details = make("details", { class: "figure-data" }, make("summary", {}, `Data (${table.rows.length} ${table.rows.length === 1 ? "row" : "rows"})`));
    const fill = () => {
      if (details.querySelector("table") || !details.open) return;
      const body = make("tbody");
      for (const row of table.rows) {
        const line = make("tr");
        for (const cell of row) {
          const isNumber = typeof cell === "number";
          line.append(make("td", isNumber ? { class: "number" } : {}, cell === null ? "" : isNumber ? number(cell) : cell));
        }
        body.append(line);
      }
      const scroll = { class: "figure-scroll", tabindex: "0", role: "region", "aria-label": "Data of the figure" };
      details.append(make("div", scroll, make("table", {}, make("thead", {}, head), body)));
    };
    details.addEventListener("toggle", fill);
    if (open) { details.open = true; fill(); }
    return details;
  }

  const drawn = new WeakMap();

  function drawFigure(element, figure, { dark } = {}) {
    const before = drawn.get(element);
    before?.observer.disconnect();
    const open = Boolean(element.querySelector("details.figure-data")?.open);
    element.classList.add("figure");
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", figure.title);
    if (dark === undefined) element.removeAttribute("data-figure");
    else element.setAttribute("data-figure", dark ? "dark" : "light");
    const panels = make("div", { class: "figure-panels" });
    const marked = make("p", { class: "figure-subtitle" });
    const [first, ...others] = figure.subtitle.split(" · ");
    marked.append(figure.simulated ? make("strong", {}, first) : first, others.map(part => ` · ${part}`).join(""));
    element.replaceChildren(
      make("h3", { class: "figure-title" }, figure.title), marked, legendOf(figure), panels,
      make("p", { class: "figure-summary" }, figure.summary), ...figure.notes.map(note => make("p", { class: "figure-note" }, note)),
      ...(figure.table.columns.length ? [tableOf(figure.table, open)] : []),
    );
    const frames = figure.panels.map(panel => {
      const wide = panel.layers.some(layer => layer.mark === "parallel");
      const plot = make("div", wide ? { class: "figure-wide", tabindex: "0", role: "region", "aria-label": panel.title || figure.title } : {});
      const foot = axisText(panel.x), side = panel.y.scale === "band" ? "" : axisText(panel.y);
      const head = [panel.title, side && side !== panel.title ? `↑ ${side}` : ""];
      const box = make("div", { class: "figure-panel" }, make("p", { class: "figure-panel-title" }, head[0]));
      if (head[1]) box.append(make("p", { class: "figure-axis" }, head[1]));
      box.append(plot);
      if (foot) box.append(make("p", { class: "figure-axis figure-axis-x" }, `${foot} →`));
      panels.append(box);
      return { panel, plot, width: 0 };
    });
    const lay = () => {
      for (const frame of frames) {
        const width = Math.floor(frame.plot.clientWidth);
        if (width < 50 || width === frame.width) continue;
        frame.width = width;
        frame.plot.replaceChildren(pictureOf(plotOf(frame.panel, width, figure.summary)));
      }
    };
    lay();
    const observer = new ResizeObserver(lay);
    observer.observe(element);
    drawn.set(element, { observer });
    return element;
  }

  globalThis.drawFigure = drawFigure;
})();
