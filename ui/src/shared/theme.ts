// Dark where the system is, unless the realm says otherwise. A file of its own, since the page's policy allows no script in it.
const wanted = document.documentElement.dataset.darkMode !== "off";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const set = () => document.documentElement.classList.toggle("pf-v5-theme-dark", wanted && dark.matches);
set();
dark.addEventListener("change", set);
