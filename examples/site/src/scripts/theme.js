// Light, dark, or as the system has it. The choice is kept in this browser.
const THEMES = ['automatic', 'light', 'dark'];
const KEY = 'theme';

function remembered() {
  try {
    const theme = localStorage.getItem(KEY);
    return THEMES.includes(theme) ? theme : 'automatic';
  } catch {
    return 'automatic'; // Storage is forbidden here: the theme then lasts for the page.
  }
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // As above.
  }
}

export function startTheme(document) {
  const button = document.querySelector('[data-theme-button]');
  const label = document.querySelector('[data-theme-label]');
  let theme = remembered();
  const show = () => {
    document.documentElement.dataset.theme = theme;
    label.textContent = `Theme: ${theme}`;
  };
  button.hidden = false;
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    remember(theme);
    show();
  });
  show();
}
