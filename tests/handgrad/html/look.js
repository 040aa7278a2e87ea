// What a page looks like, in numbers: contrast of every text with what is behind it, headings in their order.
(() => {
  const parse = (text) => {
    const n = text.match(/[\d.]+/g).map(Number);
    return text.startsWith("color(srgb") ? [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
  const light = (rgb) => rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const luminance = (rgb) => light(rgb).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.backgroundColor = "Canvas";
  const canvas = parse(getComputedStyle(probe).backgroundColor).slice(0, 3);
  probe.remove();
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const own = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || own.localName === "script" || !own.checkVisibility()) continue;
    const chain = [];
    for (let e = own; e; e = e.parentElement) chain.unshift(getComputedStyle(e));
    const behind = chain.reduce((under, style) => over(parse(style.backgroundColor), under), canvas);
    const opacity = chain.reduce((product, style) => product * Number(style.opacity), 1);
    const svg = own.namespaceURI.endsWith("svg");
    const [r, g, b, a] = parse(svg ? getComputedStyle(own).fill : getComputedStyle(own).color);
    const [x, y] = [luminance(over([r, g, b, a * opacity], behind)), luminance(behind)].sort((p, q) => q - p);
    const contrast = (x + 0.05) / (y + 0.05);
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((h) => Number(h.localName[1]));
  const pictures = [...document.querySelectorAll("img")];
  return {
    faint, headings,
    ground: canvas[0],
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    scripts: document.scripts.length,
    unnamed: [...document.querySelectorAll("img:not([alt]), input:not([aria-label]), svg:not([aria-label])")].length,
    broken: pictures.filter((p) => p.complete && !p.naturalWidth).length,
    pictures: pictures.length,
    equations: document.querySelectorAll("math").length,
  };
})()
