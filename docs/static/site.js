// What scrolls by itself can be reached by keyboard.
addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("pre, .table-wrapper, .cell_output, div.math, article p:has(img)").forEach((element) => {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
  });
});
