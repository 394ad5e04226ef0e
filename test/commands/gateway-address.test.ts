import { expect, test } from "bun:test";
import { gatewayAddress } from "../../scripts/gateway/gateway-address.ts";

test.each([
  ["localhost:8080", "http://localhost:8080"],
  ["10.0.0.7:80", "http://10.0.0.7:80"],
  ["[::1]:8080", "http://[::1]:8080"],
  ["gateway", "http://gateway"],
  ["http://localhost:8080/", "http://localhost:8080"],
  ["HTTPS://gateway.example/telemetry//", "HTTPS://gateway.example/telemetry"],
])("a gateway may be named %s", (text, url) => {
  expect(gatewayAddress(text)).toBe(url);
});

test.each(["", "ftp://gateway:8080", "gateway:port", "a b:8080", "user@gateway:8080"])(
  "%j names no gateway, and the message says what would",
  (text) => {
    expect(() => gatewayAddress(text)).toThrow(/is not usable: expected localhost:8080, or a URL such as/);
  },
);
