import { render } from "preact";
import { FleetPage } from "./fleet/fleet-page.tsx";
import { applyStoredTheme } from "./frame/theme-choice.tsx";
import { Frame } from "./frame/frame.tsx";
import { LiveFleet } from "./live/live-fleet.ts";

applyStoredTheme();
const live = new LiveFleet();
live.start();
render(
  <Frame live={live}>
    <FleetPage live={live} />
  </Frame>,
  document.body,
);
