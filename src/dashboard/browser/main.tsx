import { type ComponentType, render } from "preact";
import { dashboardPages, type PageName } from "../pages.ts";
import { FleetPage } from "./fleet/fleet-page.tsx";
import { applyStoredTheme } from "./frame/theme-choice.tsx";
import { Frame } from "./frame/frame.tsx";
import { LiveFleet } from "./live/live-fleet.ts";

/** What each page shows. */
const components: Readonly<Record<PageName, ComponentType<{ readonly live: LiveFleet }>>> = {
  fleet: FleetPage,
};

applyStoredTheme();
const live = new LiveFleet();
live.start();
const names = Object.keys(components) as PageName[];
const name = names.find((each) => dashboardPages[each].path === location.pathname) ?? "fleet";
const Page = components[name];
document.title = `GPU telemetry: ${dashboardPages[name].title.toLowerCase()}`;
render(
  <Frame live={live}>
    <Page live={live} />
  </Frame>,
  document.body,
);
