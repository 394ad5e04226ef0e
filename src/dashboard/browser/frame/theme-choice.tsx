import { useState } from "preact/hooks";

const themes = ["system", "light", "dark"] as const;
type Theme = (typeof themes)[number];
const storageKey = "theme";

/** Shows the page in the theme that was chosen on this browser before. */
export function applyStoredTheme(): void {
  apply(storedTheme());
}

/** The choice between light, dark, and what the system says. */
export function ThemeChoice() {
  const [theme, setTheme] = useState(storedTheme);
  return (
    <label class="theme">
      <span class="for-readers">Theme</span>
      <select
        value={theme}
        onChange={({ currentTarget: { value } }) => {
          const chosen = themes.find((each) => each === value) ?? "system";
          setTheme(chosen);
          apply(chosen);
          store(chosen);
        }}
      >
        <option value="system">System</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}

function apply(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}

function storedTheme(): Theme {
  try {
    return themes.find((each) => each === localStorage.getItem(storageKey)) ?? "system";
  } catch {
    // a browser may forbid storage
    return "system";
  }
}

function store(theme: Theme): void {
  try {
    localStorage.setItem(storageKey, theme);
  } catch {
    // the choice then lasts until the page is closed
  }
}
