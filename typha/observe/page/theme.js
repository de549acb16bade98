// Before the first paint: the colours that were chosen here the last time; without a choice the system's.
"use strict";
{
  let chosen = "auto";
  try {
    chosen = localStorage.getItem("typha-theme") || "auto";
  } catch {
    // Storage is forbidden: the system's colours.
  }
  document.documentElement.dataset.theme = chosen;
}
