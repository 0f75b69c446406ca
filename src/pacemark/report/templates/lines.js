/* Draws the pages that lay lines over one another: data.views[].charts[], of which one view is chosen. */
(() => {
  const {
    CURVE_TICKS, TIME_STEPS, alone, axis, clock, color, element, extent, keepShape, plain, rank, room, stepped,
    swatch, tabulated, unrank, widthOf, zoomedBy,
  } = kit;
  const data = JSON.parse(document.getElementById("data").textContent);
  const drawn = new Map();
  const hidden = new Map();

  const shown = (v, chart) => (v == null ? "–" : chart.short === "ms" && v < 1 ? "<1 ms" : `${plain(v)} ${chart.short}`);

  /* How each kind of horizontal axis is divided and read. */
  const KINDS = {
    time: {
      head: "Time",
      axis: { label: "time since the first sample", incrs: TIME_STEPS, space: 64, values: (u, splits) => splits.map(clock) },
      where: (chart, i) => `at ${clock(chart.x[i])}`,
    },
    curve: {
      head: "Percentile",
      axis: {
        label: "percentile",
        splits: (u, i, min, max) => CURVE_TICKS.map(rank).filter((x) => x >= min && x <= max),
        values: (u, splits) => splits.map((x) => `${Number(unrank(x).toPrecision(6))} %`),
      },
      where: (chart, i) => chart.names[i],
    },
    runs: {
      head: "Run",
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

  function options(figure, chart, parts) {
    const log = chart.log && document.getElementById("log")?.checked;
    return {
      width: widthOf(figure),
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
        spanGaps: chart.spans,
        points: { show: chart.kind === "runs" || !chart.spans, filter: (u, i, shown) => (shown || chart.spans ? null : alone(u.data[i])) },
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
    if (event.key === "+" || event.key === "-") return u.setScale("x", zoomedBy(u, event.key === "+" ? 0.5 : 2) ?? extent(u));
    if (!stepped(event, u)) return undefined;
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
    tabulated(figure, u, {
      head: KINDS[chart.kind].head, unit: chart.unit, series: chart.series, value: (v) => shown(v, chart),
      where: (at) => KINDS[chart.kind].where(chart, at).replace(/^at /, ""),
    });
    drawn.set(chart.id, u);
  }

  function drawAll() {
    const view = Number(document.getElementById("view")?.value ?? 0);
    for (const chart of data.views[view]?.charts ?? []) draw(chart);
  }

  for (const node of document.querySelectorAll("#view, #log")) node.addEventListener("change", drawAll);
  keepShape(() => drawn.values(), drawAll);
  drawAll();
})();
