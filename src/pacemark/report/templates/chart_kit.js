"use strict";
/* What the scripts of all pages with charts share: numerals, colours, axes, and how a chart fits its place. */
const kit = (() => {
  const PAPER_WIDTH = 680;
  const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
  const CURVE_TICKS = [0, 50, 75, 90, 95, 99, 99.9, 99.99, 99.999, 99.9999];
  let paper = false;

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const short = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
  const plain = (v) => (v >= 1000 ? whole : short).format(v);

  /* The percentile axis of HdrHistogram's plots: each step to the right is a tenth of the samples left. */
  const rank = (percent) => -Math.log10(1 - percent / 100);
  const unrank = (x) => 100 * (1 - 10 ** -x);

  function clock(seconds) {
    const s = Math.floor(seconds);
    const pad = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(s / 3600), minutes = Math.floor((s % 3600) / 60);
    return hours ? `${hours}:${pad(minutes)}:${pad(s % 60)}` : `${minutes}:${pad(s % 60)}`;
  }

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

  const extent = (u) => ({ min: u.data[0][0], max: u.data[0].at(-1) });

  function axis(extra) {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return {
      stroke: color("--muted"),
      font,
      labelFont: font,
      labelSize: 20,
      labelGap: 2,
      gap: 4,
      grid: { stroke: color("--line-soft"), width: 1 },
      ticks: { stroke: color("--line"), width: 1, size: 4 },
      ...extra,
    };
  }

  const room = (u, values) => 14 + 7.2 * Math.max(2, ...(values || []).map((v) => String(v ?? "").length));

  const widthOf = (figure) => (paper ? PAPER_WIDTH : figure.querySelector(".plot").clientWidth);

  /* Charts as wide as their places, in the colours of the day, and of one width on paper. */
  function keepShape(plots, drawAll) {
    const onPaper = (now) => {
      paper = now;
      document.documentElement.toggleAttribute("data-paper", now);
      drawAll();
    };
    new ResizeObserver(() => {
      if (paper) return;
      for (const u of plots()) {
        const width = u.root.parentElement.clientWidth;
        if (width && width !== u.width) u.setSize({ width, height: u.height });
      }
    }).observe(document.querySelector("main"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
    addEventListener("beforeprint", () => onPaper(true));
    addEventListener("afterprint", () => onPaper(false));
  }

  const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };

  /* Moves the cursor by the arrow keys; false where the key is another. */
  function stepped(event, u) {
    const step = STEPS[event.key];
    if (!step) return false;
    event.preventDefault();
    const last = u.data[0].length - 1;
    const idx = Math.min(Math.max((u.cursor.idx ?? (step > 0 ? -1 : last + 1)) + step, 0), last);
    u.setCursor({ left: u.valToPos(u.data[0][idx], "x"), top: u.over.clientHeight / 2 });
    return true;
  }

  /* What is seen nearer or from further away, around the cursor; null for all of it. */
  function zoomedBy(u, factor) {
    const { min, max } = u.scales.x;
    const { min: first, max: last } = extent(u);
    const middle = u.cursor.idx == null ? (min + max) / 2 : u.data[0][u.cursor.idx];
    const half = ((max - min) / 2) * factor;
    const to = { min: Math.max(first, middle - half), max: Math.min(last, middle + half) };
    return to.min <= first && to.max >= last ? null : to;
  }

  /* What a chart shows as a table beneath it, made when it is opened: a row for each place on its axis. */
  function tabulated(figure, u, { head, unit, series, where, value }) {
    const details = figure.querySelector("details");
    const fill = () => {
      const box = details.querySelector(".scroll");
      box.replaceChildren();
      if (!details.open) return;
      const kept = series.map((one, i) => [one, i + 1]).filter(([, i]) => u.series[i].show);
      const row = (at) => element("tr", {}, element("th", { scope: "row" }, where(at)),
        ...kept.map(([, i]) => element("td", { class: "n" }, value(u.data[i][at]))));
      const heads = [element("th", { scope: "col" }, head), ...kept.map(([one]) => element("th", { scope: "col", class: "n" }, one.name))];
      box.append(element("table", {},
        element("caption", {}, `${unit}; the lines that are shown`),
        element("thead", {}, element("tr", {}, ...heads)),
        element("tbody", {}, ...u.data[0].map((x, at) => row(at)))));
    };
    details.ontoggle = fill;
    fill();
  }

  /* Values without a neighbour, which no line reaches. */
  const alone = (values) => values.flatMap((v, i) => (v != null && values[i - 1] == null && values[i + 1] == null ? [i] : []));

  return {
    CURVE_TICKS, TIME_STEPS, alone, axis, clock, color, element, extent, keepShape, plain, rank, room, short, stepped, swatch,
    tabulated, unrank, whole, widthOf, zoomedBy,
  };
})();
