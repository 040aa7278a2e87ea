"use strict";
// Search: what does not have the words is hidden, what has them is unfolded. Printing: everything is unfolded.
const box = document.querySelector("input[type=search]");
const found = document.querySelector("search output");
const folds = [...document.querySelectorAll("main details")];
const rows = [...document.querySelectorAll("main tbody tr")];
const before = new Map(folds.map((fold) => [fold, fold.open]));
const has = (part, words) => part.textContent.toLowerCase().includes(words);

const search = (words) => {
  const named = folds.filter((fold) => has(fold.querySelector("summary"), words)); // all of these is shown
  const shown = (part) => has(part, words) || named.some((fold) => fold.contains(part));
  for (const part of [...folds, ...rows]) part.hidden = !shown(part);
  for (const fold of folds) fold.open = words ? !fold.hidden : before.get(fold);
  found.textContent = words ? `${[...folds, ...rows].filter((part) => !part.hidden).length} places` : "";
};

if (box) { // only where something is folded
  box.hidden = false;
  box.addEventListener("input", () => search(box.value.trim().toLowerCase()));
}
addEventListener("beforeprint", () => folds.forEach((fold) => { fold.open = true; }));
