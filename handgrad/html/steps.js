// Steps: one at a time, with what it computes and what it takes on the picture. Step 0 shows the whole, as paper does.
{
  const stepper = document.querySelector(".stepper");
  const steps = [...document.querySelectorAll("[data-step]")];
  const numbers = [...document.querySelectorAll("svg [data-at]")];
  const edges = [...document.querySelectorAll("svg [data-edge]")];
  const show = (k) => {
    const step = steps[k - 1];
    const uses = new Set(step ? step.dataset.uses.split(" ") : []);
    const whole = document.querySelector(".handgrad");
    whole.classList.toggle("stepping", k > 0);
    steps.forEach((one) => one.classList.toggle("now", one === step));
    for (const one of numbers) {
      one.classList.toggle("later", k > 0 && one.dataset.at > k);
      one.classList.toggle("now", k > 0 && Number(one.dataset.at) === k);
      one.classList.toggle("used", uses.has(one.dataset.of));
    }
    for (const one of edges) {
      const own = numbers.filter((n) => n.dataset.of.replace(/^d/, "") === one.dataset.edge);
      one.classList.toggle("now", own.some((n) => n.matches(".now, .used")));
    }
    const title = step ? `${k} of ${steps.length}: ${step.querySelector("h3").textContent}` : "all steps";
    stepper.querySelector("input").value = k;
    stepper.querySelector("input").setAttribute("aria-valuetext", title);
    stepper.querySelector("output").textContent = title;
    const frame = document.querySelector(".worked .scroll"); // what is computed comes to its middle
    const places = numbers.filter((one) => one.matches(".now")).map((one) => one.getBoundingClientRect());
    const middle = (Math.min(...places.map((p) => p.left)) + Math.max(...places.map((p) => p.right))) / 2;
    if (step) frame.scrollLeft += middle - frame.getBoundingClientRect().left - frame.clientWidth / 2;
  };
  if (stepper) {
    const slider = stepper.querySelector("input");
    const [back, on] = stepper.querySelectorAll("button");
    const go = (by) => show(Math.min(Math.max(Number(slider.value) + by, 0), steps.length));
    slider.addEventListener("input", () => go(0));
    back.addEventListener("click", () => go(-1));
    on.addEventListener("click", () => go(1));
    stepper.hidden = false;
    show(0);
  }

  const picture = document.querySelector(".worked .scroll");
  const sayWide = () => {
    document.querySelector(".worked .wide").hidden = picture.scrollWidth <= picture.clientWidth;
  };
  addEventListener("resize", sayWide);
  sayWide();
}
