import { type AnyElysia, Elysia } from "elysia";
import type { Logger } from "pino";
import { answerHeaders } from "./routes/http/door/answer-headers.ts";
import { door, type DoorOptions } from "./routes/http/door/door.ts";
import type { Access } from "./access/access.ts";
import type { AuditTrail } from "./access/audit.ts";
import type { Peers } from "./tls/peer.ts";
import { accessCheck } from "./routes/http/access/access-check.ts";
import type { TrustedHops } from "./routes/http/access/client-address.ts";
import { tlsPeers } from "./routes/http/access/tls-peers.ts";
import { closedConnections } from "./routes/http/closed-connections.ts";
import { errorHandling } from "./routes/http/error-handling.ts";
import { requestUrl } from "./routes/http/request-url.ts";
import { slowAnswers } from "./routes/http/slow-answers.ts";
import { socketSettings } from "./routes/live/live-routes.ts";
import { type HealthOptions, healthRoutes } from "./routes/operations/health-routes.ts";
import { httpInstruments } from "./routes/operations/http-instruments.ts";
import { type PrometheusOptions, prometheusRoutes } from "./routes/operations/prometheus-routes.ts";

export interface AppOptions extends HealthOptions, PrometheusOptions {
  /** The roles' routes. `app` returns the composed app, which has all of its routes only after `composeApp` has returned. */
  readonly routes: (app: () => AnyElysia) => readonly AnyElysia[];
  readonly webSocket: { readonly wsIdleTimeoutMs: number };
  /** The largest body that the server reads; a larger one is refused before any route sees it. */
  readonly bodyMaxBytes: number;
  readonly door: DoorOptions;
  readonly access: Access;
  readonly trail: AuditTrail;
  /** How the process serves TLS; undefined: it does not. */
  readonly tls: { readonly peers: Peers; readonly hstsSeconds: number } | undefined;
  /** Whether X-Forwarded-For has the client's address. */
  readonly trustsForwardedFor: TrustedHops;
  /** Maximum number of requests a second without a valid credential from one address; 0: no limit. */
  readonly unauthenticatedPerSecond: number;
  readonly log: Logger;
}

/** By default, Bun answers an error that no hook has caught with a page that has the stack and the source. */
const withoutInternals: { readonly development: false; readonly error: () => Response } = {
  development: false,
  error: () => {
    const message = "The request failed inside the server; its log says why";
    const error = { code: "internal_error", message, details: {} };
    return Response.json({ success: false, error }, { status: 500 });
  },
};

/** Composes the HTTP side of a process: /health, /metrics and the routes of its roles. The caller has to listen. */
export function composeApp(options: AppOptions): Elysia {
  const websocket = socketSettings(options.webSocket);
  const serve = { ...withoutInternals, maxRequestBodySize: options.bodyMaxBytes };
  // `normalize` would silently drop fields that a schema does not declare. `systemRouter` would use Bun's router, which decodes
  // and matches paths differently from Elysia's router. Tests use Elysia's router through `app.handle`.
  const app = new Elysia({ name: "app", normalize: false, systemRouter: false, websocket, serve });
  // first, because a hook applies only to routes that are added after it
  app.use(errorHandling({ routes: () => app.routes, log: options.log }));
  app.use(requestUrl());
  app.use(
    answerHeaders({ variesByOrigin: options.door.corsOrigins !== undefined, hstsSeconds: options.tls?.hstsSeconds }),
  );
  app.use(tlsPeers(options.tls?.peers));
  app.use(closedConnections(options.draining));
  app.use(slowAnswers());
  app.use(httpInstruments(options.registry));
  app.use(door({ ...options, ...options.door }));
  app.use(accessCheck({ ...options, routes: () => app.routes }));
  app.use(healthRoutes(options));
  app.use(prometheusRoutes(options));
  for (const routes of options.routes(() => app)) app.use(routes);
  return app;
}
