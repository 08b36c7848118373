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

  const look = (frame) => {
    const wrong = [];
    const page = frame.contentDocument;
    const style = (element) => frame.contentWindow.getComputedStyle(element);
    const ground = style(page.body).backgroundColor;
    const isDark = luminance(color(ground)) < 0.1;
    if (isDark !== (frame.dataset.scheme === "dark")) wrong.push("the page is " + ground);
    for (const details of page.querySelectorAll("details")) details.open = true;
    const root = page.documentElement;
    if (root.scrollWidth > frame.clientWidth) wrong.push("the page scrolls: " + root.scrollWidth);
    for (const element of page.querySelectorAll("h1, h2, p, li, dt, dd, summary, figcaption")) {
      if (!within(element.getBoundingClientRect(), { left: 0, right: frame.clientWidth, top: -1e9, bottom: 1e9 }, 0.5)) {
        wrong.push("beyond the page: " + element.textContent.slice(0, 60));
      }
      if (contrast(style(element).color, ground) < 4.5) wrong.push("hard to see: " + element.textContent.slice(0, 60));
    }
    let texts = 0;
    let marks = 0;
    const charts = page.querySelectorAll("svg");
    for (const chart of charts) {
      const name = chart.querySelector("title").textContent + ": ";
      const box = chart.getBBox();
      const { width, height } = chart.viewBox.baseVal;
      if (!(box.width > width / 4 && box.height > 20)) wrong.push(name + "nothing is drawn");
      let inked = 0;
      for (const mark of chart.querySelectorAll("rect, line, circle, polyline, polygon")) {
        const { x, y, width: w, height: h } = mark.getBBox();
        if (x < -1 || y < -1 || x + w > width + 1 || y + h > height + 1) wrong.push(name + "a mark is outside");
        const { fill, stroke } = style(mark);
        const ink = fill === "none" ? stroke : fill;
        if (ink !== "none" && contrast(ink, ground) >= 1.2 && (w > 0 || h > 0)) inked += 1;
      }
      if (inked === 0) wrong.push(name + "no mark can be seen");
      marks += inked;
      const outer = chart.getBoundingClientRect();
      const seen = [];
      for (const text of chart.querySelectorAll("text")) {
        const inner = text.getBoundingClientRect();
        const words = text.textContent.trim();
        if (!(inner.width > 0)) wrong.push(name + "an empty text");
        if (!within(inner, outer, 1)) wrong.push(name + "cut off: " + words);
        if (parseFloat(style(text).fontSize) * outer.width / width < 9.5) wrong.push(name + "small: " + words);
        if (contrast(style(text).fill, ground) < 4.5) wrong.push(name + "hard to see: " + words);
        for (const [other, theirs] of seen) {
          const wide = Math.min(inner.right, other.right) - Math.max(inner.left, other.left);
          const high = Math.min(inner.bottom, other.bottom) - Math.max(inner.top, other.top);
          // Lines of text have room above and below the letters.
          if (wide > 1 && high > inner.height * 0.35) wrong.push(name + words + " is written over " + theirs);
        }
        seen.push([inner, words]);
      }
      texts += seen.length;
    }
    const requests = frame.contentWindow.performance.getEntriesByType("resource").length;
    return { width: frame.clientWidth, scheme: frame.dataset.scheme, wrong, charts: charts.length, texts, marks, requests };
  };
  document.getElementById("found").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(look));
});
