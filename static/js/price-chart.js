/**
 * Draws the recorded prices of a pair into `[data-chart]`. Gaps in the record stay gaps; nothing is computed here.
 */
"use strict";

window.nexchange = window.nexchange || {};

nexchange.mountPriceChart = async (box) => {
  const HEIGHT_PX = 220;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  async function read() {
    const answer = await fetch(box.dataset.url, { headers: { Accept: "application/json" } });
    if (!answer.ok) {
      throw new Error(`status ${answer.status}`);
    }
    const recorded = await answer.json();
    return [recorded.at, recorded.price.map(Number)];
  }

  const spell = new Intl.DateTimeFormat(
    document.documentElement.lang || undefined,
    box.dataset.span === "7d"
      ? { day: "numeric", month: "short", timeZone: "UTC" }
      : { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "UTC" },
  );

  function options() {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    return {
      width: box.clientWidth,
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: true } },
      axes: [
        {
          ...axis,
          grid: { show: false },
          space: 64,
          incrs: [60, 120, 300, 600, 1800, 3600, 7200, 14400, 21600, 43200, 86400],
          values: (_chart, splits) => splits.map((seconds) => spell.format(new Date(seconds * 1000))),
        },
        { ...axis, size: 72 },
      ],
      series: [{}, { stroke: colour("--accent"), width: 2, fill: colour("--accent-soft"), points: { show: false } }],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    };
  }

  let chart = null;

  async function draw() {
    try {
      const data = await read();
      if (chart) {
        chart.destroy();
      }
      box.replaceChildren();
      chart = new uPlot(options(), data, box);
    } catch (error) {
      console.warn(error); // the table below the chart says the same
    }
    return chart;
  }

  window.addEventListener("resize", () => chart && chart.setSize({ width: box.clientWidth, height: HEIGHT_PX }));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return draw();
};

document.querySelectorAll("[data-chart]").forEach(nexchange.mountPriceChart);
