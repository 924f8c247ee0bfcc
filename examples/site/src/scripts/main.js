// Starts what the page has: the theme button on every page, the mill on the first.
import { startMill } from './mill.js';
import { startTheme } from './theme.js';

startTheme(document);
for (const link of document.querySelectorAll('nav a')) if (link.pathname === document.body.dataset.path) link.setAttribute('aria-current', 'page');
if (document.querySelector('[data-mill]')) startMill(document);
