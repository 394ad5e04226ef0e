export { answerOf, createGatewayClient, type GatewayClient, type GatewayClientOptions } from "./gateway-client.ts";
export { GatewayError, GatewayUnreachable } from "./gateway-error.ts";
export type * from "./generated/schema.ts";
