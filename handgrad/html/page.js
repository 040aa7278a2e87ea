"use strict";
// Search: what does not have the words is hidden, what has them is unfolded. Printing: everything is unfolded.
const box = document.querySelector("input[type=search]");
const found = document.querySelector("output");
const parts = [...document.querySelectorAll("main details, main tbody tr")];
const folded = new Map(parts.map((part) => [part, part.open]));
box.hidden = false;
box.addEventListener("input", () => {
  const words = box.value.trim().toLowerCase();
  let count = 0;
  for (const part of parts) {
    const has = !words || part.textContent.toLowerCase().includes(words) || part.parentElement.closest("[data-has]");
    part.hidden = !has;
    part.toggleAttribute("data-has", Boolean(words && has && part.querySelector("summary")?.textContent.toLowerCase().includes(words)));
    if (part.localName === "details") part.open = words ? Boolean(has) : folded.get(part);
    count += words && has ? 1 : 0;
  }
  found.textContent = words ? `${count} places` : "";
});
addEventListener("beforeprint", () => parts.forEach((part) => { if (part.localName === "details") part.open = true; }));
