"use strict";
addEventListener("load", () => {
  const luminance = ([red, green, blue]) => {
    const part = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(red / 255) + 0.7152 * part(green / 255) + 0.0722 * part(blue / 255);
  };
  const color = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);
  const contrast = (one, other) => {
    const [low, high] = [luminance(color(one)), luminance(color(other))].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const within = (inner, outer, slack) =>
    inner.left >= outer.left - slack && inner.right <= outer.right + slack &&
    inner.top >= outer.top - slack && inner.bottom <= outer.bottom + slack;

  const inspect = (frame) => {
    const defects = [];
    const page = frame.contentDocument;
    const style = (element) => frame.contentWindow.getComputedStyle(element);
    const background = style(page.body).backgroundColor;
    const isDark = luminance(color(background)) < 0.1;
    if (isDark !== (frame.dataset.scheme === "dark")) defects.push("the page is " + background);
    for (const details of page.querySelectorAll("details")) details.open = true;
    const root = page.documentElement;
    if (root.scrollWidth > frame.clientWidth) defects.push("the page scrolls: " + root.scrollWidth);
    for (const element of page.querySelectorAll("h1, h2, p, li, dt, dd, summary, figcaption")) {
      if (!within(element.getBoundingClientRect(), { left: 0, right: frame.clientWidth, top: -1e9, bottom: 1e9 }, 0.5)) {
        defects.push("beyond the page: " + element.textContent.slice(0, 60));
      }
      if (contrast(style(element).color, background) < 4.5) defects.push("low contrast: " + element.textContent.slice(0, 60));
    }
    let texts = 0;
    let marks = 0;
    const charts = page.querySelectorAll("svg");
    for (const chart of charts) {
      const name = chart.querySelector("title").textContent + ": ";
      const box = chart.getBBox();
      const { width, height } = chart.viewBox.baseVal;
      if (!(box.width > width / 4 && box.height > 20)) defects.push(name + "nothing is drawn");
      let visibleMarks = 0;
      for (const mark of chart.querySelectorAll("rect, line, circle, polyline, polygon")) {
        const { x, y, width: w, height: h } = mark.getBBox();
        if (x < -1 || y < -1 || x + w > width + 1 || y + h > height + 1) defects.push(name + "a mark is outside");
        const { fill, stroke } = style(mark);
        const paint = fill === "none" ? stroke : fill;
        if (paint !== "none" && contrast(paint, background) >= 1.2 && (w > 0 || h > 0)) visibleMarks += 1;
      }
      if (visibleMarks === 0) defects.push(name + "no mark is visible");
      marks += visibleMarks;
      const outer = chart.getBoundingClientRect();
      const others = [];
      for (const text of chart.querySelectorAll("text")) {
        const inner = text.getBoundingClientRect();
        const words = text.textContent.trim();
        if (!(inner.width > 0)) defects.push(name + "an empty text");
        if (!within(inner, outer, 1)) defects.push(name + "cut off: " + words);
        if (parseFloat(style(text).fontSize) * outer.width / width < 9.5) defects.push(name + "small: " + words);
        if (contrast(style(text).fill, background) < 4.5) defects.push(name + "low contrast: " + words);
        for (const [other, theirs] of others) {
          const wide = Math.min(inner.right, other.right) - Math.max(inner.left, other.left);
          const high = Math.min(inner.bottom, other.bottom) - Math.max(inner.top, other.top);
          // A line's box extends above and below its letters.
          if (wide > 1 && high > inner.height * 0.35) defects.push(name + words + " overlaps " + theirs);
        }
        others.push([inner, words]);
      }
      texts += others.length;
    }
    const requests = frame.contentWindow.performance.getEntriesByType("resource").length;
    return { width: frame.clientWidth, scheme: frame.dataset.scheme, defects, charts: charts.length, texts, marks, requests };
  };
  document.getElementById("found").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(inspect));
});
