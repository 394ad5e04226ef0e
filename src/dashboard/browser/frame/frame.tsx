import type { ComponentChildren } from "preact";
import { dashboardPages } from "../../pages.ts";
import type { LiveState } from "../live/live-status.ts";
import { StatusLine } from "./status-line.tsx";
import { ThemeChoice } from "./theme-choice.tsx";

const menu = Object.values(dashboardPages).filter(({ isInMenu }) => isInMenu);

/** What every page has: its head with the links to the others, and the line that says whether it is live. */
export function Frame({ live, children }: { readonly live: LiveState; readonly children: ComponentChildren }) {
  return (
    <>
      <header>
        <h1>GPU telemetry</h1>
        <nav aria-label="Pages">
          {menu.map(({ path, title }) => (
            <a key={path} href={path} aria-current={path === location.pathname ? "page" : undefined}>
              {title}
            </a>
          ))}
          <a href="/docs">API</a>
        </nav>
        <StatusLine live={live} />
        <ThemeChoice />
      </header>
      <main>{children}</main>
    </>
  );
}
