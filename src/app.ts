import { type AnyElysia, Elysia } from "elysia";
import type { Logger } from "pino";
import { errorHandling } from "./routes/http/error-handling.ts";
import { socketSettings } from "./routes/live/live-routes.ts";
import { type HealthOptions, healthRoutes } from "./routes/operations/health-routes.ts";
import { httpInstruments } from "./routes/operations/http-instruments.ts";
import { type PrometheusOptions, prometheusRoutes } from "./routes/operations/prometheus-routes.ts";

export interface AppOptions extends HealthOptions, PrometheusOptions {
  /** Routes of the roles; `app` is the app that they become part of, not yet whole when this is called. */
  readonly routes: (app: () => AnyElysia) => readonly AnyElysia[];
  readonly webSocket: { readonly wsIdleTimeoutMs: number };
  readonly log: Logger;
}

/** The HTTP side of a process: health and metrics, which every role has, and the routes of its roles.
 *  Neither listens nor starts anything. */
export function composeApp(options: AppOptions): Elysia {
  // normalize would silently drop what a schema does not know. Bun's own router would decode and match paths
  // differently from Elysia's, and from what tests see through `app.handle`.
  const websocket = socketSettings(options.webSocket);
  const app = new Elysia({ name: "app", normalize: false, systemRouter: false, websocket });
  // before all routes: a hook holds for the routes that are added after it
  app.use(errorHandling({ routes: () => app.routes, log: options.log }));
  app.use(httpInstruments(options.registry));
  app.use(healthRoutes(options));
  app.use(prometheusRoutes(options));
  for (const routes of options.routes(() => app)) app.use(routes);
  return app;
}
