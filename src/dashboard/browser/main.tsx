import { type ComponentType, render } from "preact";
import { dashboardPages, type PageName } from "../pages.ts";
import { FleetPage } from "./fleet/fleet-page.tsx";
import { applyStoredTheme } from "./frame/theme-choice.tsx";
import { Frame } from "./frame/frame.tsx";
import { GpuPage } from "./gpu/gpu-page.tsx";
import { HostPage } from "./host/host-page.tsx";
import type { FleetScope } from "./live/gateway-api.ts";
import { LiveFleet } from "./live/live-fleet.ts";

interface PageParts {
  readonly Page: ComponentType<{ readonly live: LiveFleet }>;
  /** The devices that the page shows, by the query of its URL. */
  readonly scopeOf: (query: URLSearchParams) => FleetScope;
}

const pages: Readonly<Record<PageName, PageParts>> = {
  fleet: { Page: FleetPage, scopeOf: () => ({ kind: "fleet" }) },
  host: { Page: HostPage, scopeOf: (query) => ({ kind: "host", hostname: query.get("hostname") ?? "" }) },
  gpu: { Page: GpuPage, scopeOf: (query) => ({ kind: "gpu", uuid: query.get("uuid") ?? "" }) },
};

applyStoredTheme();
const names = Object.keys(pages) as PageName[];
const name = names.find((each) => dashboardPages[each].path === location.pathname) ?? "fleet";
const { Page, scopeOf } = pages[name];
const live = new LiveFleet(scopeOf(new URLSearchParams(location.search)));
live.start();
document.title = `GPU telemetry: ${dashboardPages[name].title}`;
render(
  <Frame live={live}>
    <Page live={live} />
  </Frame>,
  document.body,
);
