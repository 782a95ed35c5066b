// Live charts: new points come in small messages, the series itself stays in the browser.
window.wkCharts = {
  // points: [[ms, value], …] per series index; windowMs: how much is kept; now: the present in event time.
  append(id, batches, windowMs, now) {
    const element = window.getElement ? getElement(id) : null;
    const chart = element && element.chart;
    if (!chart) return;
    const series = chart.getOption().series;
    const update = series.map(() => ({}));
    for (const [index, points] of batches) {
      const data = (series[index].data || []).filter((point) => point[0] >= now - windowMs);
      const last = data.length ? data[data.length - 1][0] : 0;
      for (const point of points) if (point[0] > last) data.push(point);
      update[index] = { data };
    }
    chart.setOption({ series: update, xAxis: { min: now - windowMs, max: now } });
  },
};
