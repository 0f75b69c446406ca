"use strict";
/* Draws the pages that lay lines over one another: data.views[].charts[], of which one view is chosen. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAPER_WIDTH = 680;
  const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
  const CURVE_TICKS = [0, 50, 75, 90, 95, 99, 99.9, 99.99, 99.999, 99.9999];
  const drawn = new Map();
  const hidden = new Map();
  let paper = false;

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const short = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
  const plain = (v) => (v >= 1000 ? whole : short).format(v);
  const shown = (v, chart) => (v == null ? "–" : chart.short === "ms" && v < 1 ? "<1 ms" : `${plain(v)} ${chart.short}`);
  const rank = (percent) => -Math.log10(1 - percent / 100);

  function clock(seconds) {
    const s = Math.floor(seconds);
    const pad = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(s / 3600), minutes = Math.floor((s % 3600) / 60);
    return hours ? `${hours}:${pad(minutes)}:${pad(s % 60)}` : `${minutes}:${pad(s % 60)}`;
  }

  /* How each kind of horizontal axis is divided and read. */
  const KINDS = {
    time: {
      axis: { label: "time since the first sample", incrs: TIME_STEPS, space: 64, values: (u, splits) => splits.map(clock) },
      where: (chart, i) => `at ${clock(chart.x[i])}`,
    },
    curve: {
      axis: {
        label: "percentile",
        splits: (u, i, min, max) => CURVE_TICKS.map(rank).filter((x) => x >= min && x <= max),
        values: (u, splits) => splits.map((x) => `${Number((100 * (1 - 10 ** -x)).toPrecision(6))} %`),
      },
      where: (chart, i) => chart.names[i],
    },
    runs: {
      axis: {
        label: "run, oldest first",
        splits: (u, i, min, max) => {
          const step = Math.max(1, Math.ceil((max - min) / Math.max(1, u.width / 64)));
          return Array.from({ length: Math.floor(max / step) + 1 }, (_, n) => n * step).filter((x) => x >= min);
        },
        values: (u, splits) => splits.map((x) => x + 1),
      },
      where: (chart, i) => chart.names[i],
    },
  };

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  function swatch(series) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const line = document.createElementNS(space, "line");
    svg.setAttribute("viewBox", "0 0 16 10");
    svg.setAttribute("aria-hidden", "true");
    const attributes = { x1: 0, x2: 16, y1: 5, y2: 5, stroke: color(series.color), "stroke-width": 3 };
    if (series.dash) attributes["stroke-dasharray"] = "4 3";
    for (const [name, value] of Object.entries(attributes)) line.setAttribute(name, value);
    svg.append(line);
    return svg;
  }

  const isHidden = (chart, series) => hidden.get(`${chart.id} ${series.name}`) ?? Boolean(series.hidden);

  function legend(figure, chart, plot) {
    const box = figure.querySelector(".legend");
    const values = chart.series.map((series, i) => {
      const value = element("b");
      const button = element("button", { type: "button", "aria-pressed": !isHidden(chart, series), title: series.name });
      button.append(swatch(series), element("span", { class: "name" }, series.name), value);
      button.addEventListener("click", () => {
        const show = !plot().series[i + 1].show;
        hidden.set(`${chart.id} ${series.name}`, !show);
        button.setAttribute("aria-pressed", show);
        plot().setSeries(i + 1, { show });
      });
      return [button, value];
    });
    const where = element("span", { class: "where" });
    const reset = element("button", { type: "button", class: "reset", hidden: "" }, "Reset zoom");
    reset.addEventListener("click", () => plot().setScale("x", extent(plot())));
    box.replaceChildren(...values.map(([button]) => button), where, reset);
    return { values: values.map(([, value]) => value), where, reset };
  }

  const extent = (u) => ({ min: u.data[0][0], max: u.data[0].at(-1) });

  /* A vertical line with its text: where something changed. */
  function marks(u, chart) {
    const { ctx, bbox } = u;
    const ratio = bbox.width / u.over.clientWidth || 1;
    ctx.save();
    ctx.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textBaseline = "top";
    for (const [n, mark] of chart.marks.entries()) {
      const x = Math.round(u.valToPos(mark.x, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = ctx.fillStyle = color("--text");
      ctx.lineWidth = ratio;
      ctx.setLineDash([4 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const left = x + ctx.measureText(mark.text).width + 8 * ratio < bbox.left + bbox.width;
      ctx.textAlign = left ? "left" : "right";
      ctx.fillText(mark.text, x + (left ? 4 : -4) * ratio, bbox.top + (4 + 14 * (n % 3)) * ratio);
    }
    ctx.restore();
  }

  function axis(extra) {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return {
      stroke: color("--muted"), font, labelFont: font, labelSize: 20, labelGap: 2, gap: 4,
      grid: { stroke: color("--line-soft"), width: 1 }, ticks: { stroke: color("--line"), width: 1, size: 4 }, ...extra,
    };
  }

  const room = (u, values) => 14 + 7.2 * Math.max(2, ...(values || []).map((v) => String(v ?? "").length));

  function options(figure, chart, parts) {
    const log = chart.log && document.getElementById("log")?.checked;
    return {
      width: paper ? PAPER_WIDTH : figure.querySelector(".plot").clientWidth,
      height: 270,
      padding: [10, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, dist: 6 }, points: { size: 7 } },
      scales: {
        x: { time: false, range: (u, min, max) => (min === max ? [min - 1, max + 1] : [min, max]) },
        y: log ? { distr: 3, clamp: 0.5 } : { range: (u, min, max) => uPlot.rangeNum(0, Math.max(max ?? 0, 0) || 1, 0.08, true) },
      },
      axes: [
        axis({ size: 30, ...KINDS[chart.kind].axis }),
        axis({ label: chart.unit, size: room, values: (u, splits) => splits.map((v) => (v == null ? "" : plain(v))) }),
      ],
      series: [{}, ...chart.series.map((series) => ({
        show: !isHidden(chart, series), stroke: color(series.color), width: 2, dash: series.dash ? [6, 4] : undefined,
        spanGaps: true, points: { show: chart.kind === "runs" },
      }))],
      hooks: {
        draw: chart.marks.length ? [(u) => marks(u, chart)] : [],
        setCursor: [(u) => read(u, chart, parts)],
        setScale: [(u, key) => { if (key === "x") parts.reset.hidden = u.scales.x.min <= extent(u).min && u.scales.x.max >= extent(u).max; }],
      },
    };
  }

  function read(u, chart, parts) {
    const { idx, idxs } = u.cursor;
    parts.where.textContent = idx == null ? "" : KINDS[chart.kind].where(chart, idx);
    parts.values.forEach((node, i) => {
      node.textContent = idx == null || !u.series[i + 1].show ? "" : shown(u.data[i + 1][idxs?.[i + 1] ?? idx], chart);
    });
  }

  function walk(event, u, chart, parts, live) {
    if (event.key === "Escape") return u.setScale("x", extent(u));
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (!step) return undefined;
    event.preventDefault();
    const last = u.data[0].length - 1;
    const idx = Math.min(Math.max((u.cursor.idx ?? (step > 0 ? -1 : last + 1)) + step, 0), last);
    u.setCursor({ left: u.valToPos(u.data[0][idx], "x"), top: u.over.clientHeight / 2 });
    live.textContent = `${parts.where.textContent}: ` + chart.series
      .map((series, i) => [series, i]).filter(([, i]) => u.series[i + 1].show)
      .map(([series, i]) => `${series.name} ${parts.values[i].textContent}`).join(", ");
    return undefined;
  }

  function draw(chart) {
    const figure = document.querySelector(`[data-chart="${chart.id}"]`);
    drawn.get(chart.id)?.destroy();
    let u;
    const parts = legend(figure, chart, () => u);
    const target = figure.querySelector(".plot");
    u = new uPlot(options(figure, chart, parts), [chart.x, ...chart.series.map((series) => series.values)], target);
    u.root.querySelector("canvas").setAttribute("aria-hidden", "true");
    target.onkeydown = (event) => walk(event, u, chart, parts, figure.querySelector(".live"));
    drawn.set(chart.id, u);
  }

  function drawAll() {
    const view = Number(document.getElementById("view")?.value ?? 0);
    for (const chart of data.views[view]?.charts ?? []) draw(chart);
  }

  function onPaper(now) {
    paper = now;
    document.documentElement.toggleAttribute("data-paper", now);
    drawAll();
  }

  for (const node of document.querySelectorAll("#view, #log")) node.addEventListener("change", drawAll);
  new ResizeObserver(() => {
    if (paper) return;
    for (const u of drawn.values()) {
      const width = u.root.parentElement.clientWidth;
      if (width && width !== u.width) u.setSize({ width, height: u.height });
    }
  }).observe(document.querySelector("main"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("beforeprint", () => onPaper(true));
  addEventListener("afterprint", () => onPaper(false));
  drawAll();
})();
