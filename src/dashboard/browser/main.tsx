import { type ComponentType, render, type VNode } from "preact";
import { dashboardPages, type PageName } from "../pages.ts";
import { FleetPage } from "./fleet/fleet-page.tsx";
import { applyStoredTheme } from "./frame/theme-choice.tsx";
import { Frame } from "./frame/frame.tsx";
import { GpuPage } from "./gpu/gpu-page.tsx";
import { HostPage } from "./host/host-page.tsx";
import type { FleetScope } from "./live/gateway-api.ts";
import { faultQuestions } from "./live/fault-api.ts";
import { LiveAnswers } from "./live/live-answers.ts";
import { pipelineQuestions } from "./live/pipeline-api.ts";
import { FaultsPage } from "./faults/faults-page.tsx";
import { faultStateOf } from "../model/fault-state.ts";
import type { LiveState } from "./live/live-status.ts";
import { NamespacesPage } from "./namespaces/namespaces-page.tsx";
import { PipelinePage } from "./pipeline/pipeline-page.tsx";
import { LiveFleet } from "./live/live-fleet.ts";

/** Opens a page for the query of its URL. */
type OpenPage = (query: URLSearchParams) => { readonly live: LiveState; readonly content: VNode };

const ofFleet =
  (Page: ComponentType<{ readonly live: LiveFleet }>, scopeOf: (query: URLSearchParams) => FleetScope): OpenPage =>
  (query) => {
    const live = new LiveFleet(scopeOf(query));
    live.start();
    return { live, content: <Page live={live} /> };
  };

const pages: Readonly<Record<PageName, OpenPage>> = {
  fleet: ofFleet(FleetPage, () => ({ kind: "fleet" })),
  host: ofFleet(HostPage, (query) => ({ kind: "host", hostname: query.get("hostname") ?? "" })),
  gpu: ofFleet(GpuPage, (query) => ({ kind: "gpu", uuid: query.get("uuid") ?? "" })),
  namespaces: ofFleet(NamespacesPage, () => ({ kind: "fleet" })),
  pipeline: () => {
    const live = new LiveAnswers(pipelineQuestions);
    live.start();
    return { live, content: <PipelinePage live={live} /> };
  },
  faults: (query) => {
    const live = new LiveAnswers(faultQuestions(faultStateOf(query.toString())));
    live.start();
    return { live, content: <FaultsPage live={live} /> };
  },
};

applyStoredTheme();
const names = Object.keys(pages) as PageName[];
const name = names.find((each) => dashboardPages[each].path === location.pathname) ?? "fleet";
const { live, content } = pages[name](new URLSearchParams(location.search));
document.title = `GPU telemetry: ${dashboardPages[name].title}`;
render(<Frame live={live}>{content}</Frame>, document.body);
