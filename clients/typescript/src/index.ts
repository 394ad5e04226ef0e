export { answerOf, createGatewayClient, type GatewayClient, type GatewayClientOptions } from "./gateway-client.ts";
export { GatewayError, GatewayUnreachable, SubscriptionRefused } from "./gateway-error.ts";
export type {
  ErrorMessage,
  FaultChangeMessage,
  ReplayedMessage,
  SkippedMessage,
  SubscribedMessage,
  SubscribeRequest,
  TelemetryUpdateMessage,
} from "./generated/messages.ts";
export type * from "./generated/schema.ts";
export type { LiveMessage, LiveOptions } from "./live-options.ts";
export { liveFaults, type LiveFaultsOptions } from "./live-faults.ts";
export { type LiveTelemetry, liveTelemetry } from "./live-telemetry.ts";
