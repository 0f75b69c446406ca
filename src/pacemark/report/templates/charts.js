(() => {
  const {
    CURVE_TICKS, TIME_STEPS, alone, axis, clock, color, element, extent, keepShape, plain, rank, room, short,
    stepped, swatch, tabulated, unrank, whole, widthOf, zoomedBy,
  } = kit;
  const data = JSON.parse(document.getElementById("data").textContent);
  const PALETTE = ["--c1", "--c2", "--c3", "--c5", "--c6", "--c4"];
  const charts = new Map();
  const hidden = { latency: new Set(["max"]), labels: new Set(), rate: new Set(), curve: new Set(), errors: new Set() };
  data.own.forEach((chart, i) => { hidden[`own-${i}`] = new Set(); });
  /* Charts of time are zoomed and read together. */
  const axisOf = (name) => (name.startsWith("own-") ? data.own[name.slice(4)].axis : name === "curve" ? "percentile" : "time");
  const together = (name) => axisOf(name) === "time";
  const MANY = 4;
  let zoom = null;
  let zooming = false;

  const ms = (v) => (v == null ? "–" : v < 1 ? "<1 ms" : `${whole.format(v)} ms`);
  const perSecond = (v) => (v == null ? "–" : `${plain(v)} /s`);

  /* A label may be called as a percentile is: what is off among labels is kept apart. */
  const offIn = (name, spec) => hidden[spec.of ?? name];

  function legend(figure, name, spec, plot) {
    const box = figure.querySelector(".legend");
    box.replaceChildren();
    const off = offIn(name, spec);
    const values = spec.series.map((series, i) => {
      const value = element("b");
      const shown = !off.has(series.name);
      const button = element("button", { type: "button", "aria-pressed": shown, title: series.name });
      button.append(swatch(series), element("span", { class: "name" }, series.name), value);
      button.addEventListener("click", () => {
        const show = !plot().series[i + 1].show;
        off[show ? "delete" : "add"](series.name);
        button.setAttribute("aria-pressed", show);
        plot().setSeries(i + 1, { show });
      });
      box.append(button);
      return value;
    });
    const where = element("span", { class: "where" });
    if (spec.series.length > MANY) box.append(allOrNone(box, name, spec, plot));
    const link = element("a", { class: "link", hidden: "" }, "Link to this stretch");
    const reset = element("button", { type: "button", class: "reset", hidden: "" }, "Reset zoom");
    reset.addEventListener("click", () => {
      unzoom(name);
      figure.querySelector(".plot").focus({ preventScroll: true });
    });
    box.append(where, link, reset);
    return { values, where, link, reset };
  }

  /* One line of many is read by hiding all and showing it. */
  function allOrNone(box, name, spec, plot) {
    const button = element("button", { type: "button", class: "every" }, "all lines on or off");
    button.addEventListener("click", () => {
      const off = offIn(name, spec);
      const show = off.size > 0;
      off.clear();
      if (!show) spec.series.forEach((series) => off.add(series.name));
      spec.series.forEach((series, i) => plot().setSeries(i + 1, { show }));
      for (const line of box.querySelectorAll("[aria-pressed]")) line.setAttribute("aria-pressed", show);
    });
    return button;
  }

  function unzoom(name) {
    if (together(name)) setZoom(null);
    else charts.get(name).u.setScale("x", extent(charts.get(name).u));
  }

  /* All charts of time show one stretch, and the address names it: #t=60,120 is from second 60 to 120. */
  function setZoom(to, { keepAddress = false } = {}) {
    zoom = to;
    zooming = true;
    for (const [name, { u }] of charts) if (together(name)) u.setScale("x", to ?? extent(u));
    zooming = false;
    if (!keepAddress) history.replaceState(null, "", to ? address(to) : location.pathname + location.search);
    for (const [name, { parts }] of charts) if (together(name)) marked(parts, to);
  }

  const tidy = (seconds) => String(Number(seconds.toFixed(3)));
  const address = ({ min, max }) => `#t=${tidy(min)},${tidy(max)}`;

  function marked(parts, to) {
    parts.reset.hidden = parts.link.hidden = !to;
    if (!to) return parts.link.removeAttribute("href");
    parts.link.setAttribute("href", address(to));
    parts.link.setAttribute("aria-label", `Link to ${clock(to.min)} to ${clock(to.max)}`);
  }

  function fromAddress() {
    const found = /^#t=(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)$/.exec(location.hash);
    if (!found) return;
    const [min, max] = found.slice(1).map(Number);
    if (min >= max || min > data.at.at(-1)) return;
    setZoom({ min, max }, { keepAddress: true });
    document.querySelector("figure[data-chart]").scrollIntoView({ block: "center" });
  }

  function shade(u) {
    const { ctx, bbox } = u;
    const x = (seconds) => Math.min(Math.max(u.valToPos(seconds, "x", true), bbox.left), bbox.left + bbox.width);
    const [from, to] = data.window;
    const end = u.scales.x.max;
    ctx.save();
    ctx.fillStyle = color("--shade");
    for (const [a, b] of [[u.scales.x.min, from], [to, end]]) {
      if (b > a) ctx.fillRect(x(a), bbox.top, x(b) - x(a), bbox.height);
    }
    ctx.restore();
  }

  function nameStretches(u) {
    const { ctx, bbox } = u;
    const ratio = bbox.width / u.over.clientWidth || 1;
    const x = (seconds) => Math.min(Math.max(u.valToPos(seconds, "x", true), bbox.left), bbox.left + bbox.width);
    const [from, to] = data.window;
    ctx.save();
    ctx.fillStyle = color("--muted");
    ctx.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    const write = (text, a, b) => {
      const room = x(b) - x(a);
      if (ctx.measureText(text).width + 10 * ratio < room) ctx.fillText(text, x(a) + 5 * ratio, bbox.top + 4 * ratio);
    };
    if (data.ramp) write("ramp-up", data.ramp[0], data.ramp[1]);
    if (data.named) write("measured window", from, to);
    ctx.restore();
  }

  function limitLine(u, limits) {
    const { ctx, bbox } = u;
    const ratio = bbox.width / u.over.clientWidth || 1;
    ctx.save();
    for (const limit of limits) {
      if (limit.ms > u.scales.y.max || limit.ms < u.scales.y.min) continue;
      const y = Math.round(u.valToPos(limit.ms, "y", true));
      ctx.strokeStyle = color("--text");
      ctx.fillStyle = color("--text");
      ctx.lineWidth = ratio;
      ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
      ctx.textAlign = "right";
      ctx.textBaseline = "bottom";
      ctx.setLineDash([]);
      const right = bbox.left + bbox.width - 4 * ratio;
      const wide = ctx.measureText(limit.text).width;
      ctx.fillStyle = color("--page");
      ctx.fillRect(right - wide - 3 * ratio, y - 17 * ratio, wide + 6 * ratio, 15 * ratio);
      ctx.fillStyle = color("--text");
      ctx.fillText(limit.text, right, y - 3 * ratio);
    }
    ctx.restore();
  }

  /* Stretches with a name; where the name does not fit inside it stands to the right, or to the left. */
  function shadeMarks(u, marks) {
    const { ctx, bbox } = u;
    ctx.save();
    for (const mark of marks) {
      const [a, b] = [mark.from_at, mark.to_at].map((at) => u.valToPos(at, "x", true));
      const [left, right] = [Math.max(a, bbox.left), Math.min(Math.max(b, a + 2), bbox.left + bbox.width)];
      if (right <= left) continue;
      ctx.fillStyle = color("--mark");
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
      ctx.fillStyle = color("--mark-edge");
      ctx.fillRect(left, bbox.top, Math.max(1, bbox.width / u.over.clientWidth), bbox.height);
    }
    ctx.restore();
  }

  function nameMarks(u, marks) {
    const { ctx, bbox } = u;
    const ratio = bbox.width / u.over.clientWidth || 1;
    const end = bbox.left + bbox.width;
    let taken = -Infinity, row = 0;
    ctx.save();
    ctx.textAlign = "left";
    ctx.font = `600 ${12 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textBaseline = "top";
    for (const mark of marks) {
      const from = u.valToPos(mark.from_at, "x", true);
      if (from > end || u.valToPos(mark.to_at, "x", true) < bbox.left) continue;
      const wide = ctx.measureText(mark.text).width;
      const left = Math.max(bbox.left, Math.min(Math.max(from, bbox.left) + 5 * ratio, end - wide - 4 * ratio));
      row = left < taken ? row + 1 : 0;
      const top = bbox.top + (4 + 18 * row) * ratio;
      ctx.fillStyle = color("--page");
      ctx.globalAlpha = 0.8;
      ctx.fillRect(left - 2 * ratio, top - ratio, wide + 4 * ratio, 15 * ratio);
      ctx.globalAlpha = 1;
      ctx.fillStyle = color("--text");
      ctx.fillText(mark.text, left, top);
      taken = left + wide + 8 * ratio;
    }
    ctx.restore();
  }

  function timeAxis() {
    const unit = data.at.at(-1) >= 3600 ? "h:min:s" : "min:s";
    return axis({
      label: `time since the first sample, ${unit}`,
      size: 30,
      incrs: TIME_STEPS,
      space: 64,
      values: (u, splits) => splits.map(clock),
    });
  }

  function rateAxis() {
    return axis({
      label: "offered rate, requests a second",
      size: 30,
      values: (u, splits) => splits.map(plain),
    });
  }

  function curveAxis() {
    return axis({
      label: "percentile",
      size: 30,
      splits: (u, i, min, max) => {
        const roomy = u.width / (max - min) > 190;
        return CURVE_TICKS.map(rank).filter((x) => x >= min && x <= max && (roomy || Number.isInteger(Math.round(x * 1e6) / 1e6)));
      },
      values: (u, splits) => splits.map((x) => `${Number(unrank(x).toPrecision(6))} %`),
    });
  }

  function options(figure, name, spec, parts) {
    const kind = axisOf(name);
    const timed = kind === "time";
    const marks = spec.marks ?? [];
    const drag = { x: true, y: false, dist: 6 };
    return {
      width: widthOf(figure),
      height: 270,
      padding: [10, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag, points: { size: 7 }, ...(together(name) ? { sync: { key: "time" } } : {}) },
      scales: {
        x: { time: false, ...(kind === "percentile" ? { range: (u, min, max) => [min <= u.data[0][0] ? 0 : min, max] } : {}), ...(kind === "rate" ? { range: roomAround } : {}) },
        y: spec.log
          ? { distr: 3, clamp: 0.5 }
          : { range: (u, min, max) => uPlot.rangeNum(0, Math.max(max ?? 0, spec.least || 0) || 1, 0.08, true) },
      },
      axes: [
        { time: timeAxis, rate: rateAxis, percentile: curveAxis }[kind](),
        axis({ label: spec.unit, size: room, values: (u, splits) => splits.map((v) => (v == null ? "" : plain(v))) }),
      ],
      series: [{}, ...spec.series.map((series) => ({
        show: !offIn(name, spec).has(series.name),
        stroke: color(series.color),
        fill: series.fill ? color(series.color) + "26" : undefined,
        width: series.width || 1.75,
        dash: series.dash,
        spanGaps: !timed,
        paths: series.only ? () => null : series.steps ? uPlot.paths.stepped({ align: 1 }) : undefined,
        points: {
          show: Boolean(series.only || (kind === "rate" && !series.dash)), size: series.only ? 7 : 6,
          filter: (u, i, shown) => (shown || !timed ? null : alone(u.data[i])),
        },
      }))],
      hooks: {
        drawClear: [...(timed && !marks.length ? [shade] : []), ...(marks.length ? [(u) => shadeMarks(u, marks)] : [])],
        draw: [...(timed && !marks.length ? [nameStretches] : []), ...(marks.length ? [(u) => nameMarks(u, marks)] : []), ...(spec.limits?.length ? [(u) => limitLine(u, spec.limits)] : [])],
        setCursor: [(u) => show(u, spec, parts)],
        setScale: [(u, key) => { if (key === "x") zoomed(u, together(name), parts); }],
      },
    };
  }

  function show(u, spec, parts) {
    const { idx, idxs } = u.cursor;
    parts.where.textContent = idx == null ? "" : spec.where(u.data[0][idx]);
    parts.values.forEach((node, i) => {
      const at = idxs?.[i + 1] ?? idx;
      node.textContent = idx == null || !u.series[i + 1].show ? "" : spec.value(u.data[i + 1][at]);
    });
  }

  function roomAround(u, min, max) {
    const { min: first, max: last } = extent(u);
    if (min > first || max < last) return [min, max];
    const margin = (last - first || last || 1) * 0.06;
    return [Math.max(0, first - margin), last + margin];
  }

  function zoomed(u, shared, parts) {
    const { min, max } = u.scales.x;
    const { min: first, max: last } = extent(u);
    const full = min <= first && max >= last;
    if (!shared) {
      parts.reset.hidden = full;
    } else if (!zooming && u.status === 1) {
      setZoom(full ? null : { min, max });
    }
  }

  function zoomBy(u, factor, name) {
    const to = zoomedBy(u, factor);
    if (!to) return unzoom(name);
    return together(name) ? setZoom(to) : u.setScale("x", to);
  }

  function walk(event, u, spec, parts, live) {
    if (event.key === "Escape") return unzoom(spec.name);
    if (event.key === "+" || event.key === "-") return zoomBy(u, event.key === "+" ? 0.5 : 2, spec.name);
    if (!stepped(event, u)) return undefined;
    live.textContent = `${parts.where.textContent}: ` + spec.series
      .filter((series, i) => u.series[i + 1].show)
      .map((series) => `${series.name} ${parts.values[spec.series.indexOf(series)].textContent}`).join(", ");
    return undefined;
  }

  function draw(name, spec) {
    const figure = document.querySelector(`[data-chart="${name}"]`);
    if (!figure) return;
    charts.get(name)?.u.destroy();
    const target = figure.querySelector(".plot");
    let u;
    const parts = legend(figure, name, spec, () => u);
    u = new uPlot(options(figure, name, spec, parts), spec.data, target);
    u.root.querySelector("canvas").setAttribute("aria-hidden", "true");
    target.onkeydown = (event) => walk(event, u, { ...spec, name }, parts, figure.querySelector(".live"));
    charts.set(name, { u, target, parts });
    if (together(name) && zoom) {
      zooming = true;
      u.setScale("x", { ...zoom });
      zooming = false;
      marked(parts, zoom);
    }
    const head = { time: "Time", rate: "Offered rate, /s", percentile: "Percentile" }[axisOf(name)];
    tabulated(figure, u, { head, ...spec, where: (at) => spec.where(u.data[0][at]).replace(/^at /, "") });
  }

  const chosen = () => ({
    label: Number(document.getElementById("label")?.value ?? 0),
    basis: document.querySelector("input[name=basis]:checked")?.value ?? "elapsed",
    log: Boolean(document.getElementById("log")?.checked),
    each: document.getElementById("each")?.value,
  });

  /* The line of a label among those of others; 0 is all of them together. */
  const ofLabel = (i) => (i
    ? { name: data.labels[i], color: PALETTE[(i - 1) % PALETTE.length], dash: i > PALETTE.length ? [6, 4] : undefined }
    : { name: data.labels[0], color: "--text", width: 2.5 });

  /* The percentiles of the chosen label, or one of them of each label. */
  function drawLatency({ label, basis, log, each }) {
    const limits = data.limits.filter((limit) => limit.basis === basis);
    const shared = { unit: "latency, ms", log, value: ms, where: (x) => `at ${clock(x)}` };
    if (each) {
      draw("latency", {
        ...shared, of: "labels",
        data: [data.at, ...data.latency[basis].map((columns) => columns[each])],
        series: data.labels.map((_, i) => ofLabel(i)),
        limits: limits.filter((limit) => limit.label === 0 && limit.text.startsWith(`${each} `)),
      });
      return;
    }
    const columns = data.latency[basis][label];
    const names = ["p50", "p95", "p99", "max"];
    draw("latency", {
      ...shared,
      data: [data.at, ...names.map((key) => columns[key])],
      series: names.map((key, i) => ({ name: key, color: ["--c1", "--c2", "--c3", "--c4"][i] })),
      limits: limits.filter((limit) => limit.label === label),
    });
  }

  function drawRate() {
    const series = [{ name: "achieved", color: "--c1", width: 2 }];
    if (data.rate.target) series.push({ name: "target", color: "--text", dash: [6, 5], width: 1.5 });
    draw("rate", {
      unit: "requests a second", value: perSecond, where: (x) => `at ${clock(x)}`, series,
      data: [data.at, data.rate.achieved, ...(data.rate.target ? [data.rate.target] : [])],
    });
  }

  function drawErrors() {
    draw("errors", {
      unit: "errors a second", value: perSecond, where: (x) => `at ${clock(x)}`,
      data: [data.at, ...data.errors.per_s],
      series: data.errors.outcomes.map((name, i) => ({ name, color: ["--c3", "--c2", "--c6", "--c5", "--c1", "--c4"][i % 6], fill: true, steps: true })),
    });
  }

  /* The whole of the samples, which is at no finite distance, stands a step beyond the last share of them. */
  function placed({ axis: kind, at }) {
    if (kind !== "percentile") return at;
    const beyond = Math.max(0, ...at.filter((percent) => percent < 100).map(rank)) + 0.3;
    return at.map((percent) => (percent < 100 ? rank(percent) : beyond));
  }

  function drawOwn() {
    const places = {
      time: () => (x) => `at ${clock(x)}`,
      rate: () => (x) => `at ${short.format(x)} /s offered`,
      percentile: (at) => (x) => (x === at.at(-1) ? "slowest sample" : `${Number(unrank(x).toPrecision(7))} %`),
    };
    data.own.map((chart) => [chart, placed(chart)]).forEach(([chart, at], i) => draw(`own-${i}`, {
      unit: chart.unit, where: places[chart.axis](at), log: chart.log, marks: chart.marks,
      value: (v) => (v == null ? "–" : `${Math.abs(v) >= 1000 ? whole.format(v) : short.format(v)} ${chart.short}`),
      data: [at, ...chart.series.map((series) => series.values)],
      series: chart.series.map((series, n) => ({
        name: series.name, color: PALETTE[n % PALETTE.length], only: series.dots,
        dash: n >= PALETTE.length || /^(limit|trend|back at)/.test(series.name) ? [6, 4] : undefined,
      })),
    }));
  }

  function curves({ label, basis }) {
    const line = (index, of, style) => ({ curve: data.curve[of][index], ...style });
    if (label) {
      return data.bases.map((of, i) => line(label, of, { name: of, color: i ? "--c4" : "--c1", dash: i ? [6, 4] : undefined, width: 2 }));
    }
    return data.labels.map((_, i) => line(i, basis, ofLabel(i)));
  }

  function drawCurve(choice) {
    const lines = curves(choice).filter((line) => line.curve.ms.length);
    const tables = lines.map(({ curve }) => [curve.percent.map((p) => (p === 100 ? rank(100 - 100 / (curve.count + 1)) : rank(p))), curve.ms]);
    const slowest = new Set(tables.map(([x]) => x.at(-1)));
    draw("curve", {
      unit: "latency, ms", log: choice.log, value: ms, series: lines,
      where: (x) => (slowest.has(x) ? "slowest sample" : `${Number(unrank(x).toPrecision(7))} %`),
      data: tables.length > 1 ? uPlot.join(tables) : tables[0] ?? [[0], [null]],
    });
  }

  function drawChosen() {
    const choice = chosen();
    drawLatency(choice);
    drawCurve(choice);
  }

  function drawAll() {
    drawChosen();
    drawRate();
    drawErrors();
    drawOwn();
  }

  for (const node of document.querySelectorAll("#label, #log, #each, input[name=basis]")) {
    node.addEventListener("change", drawChosen);
  }
  addEventListener("hashchange", fromAddress);
  keepShape(() => [...charts.values()].map(({ u }) => u), drawAll);
  drawAll();
  fromAddress();
})();
