import { expect, test } from "bun:test";
import { errorOf, type FakeGateway, fakeGateway, stopAfterTest } from "./fake-gateway.ts";
import { openBalancer } from "./open-balancer.ts";

// Gateways that accept connections and answer nothing, as a frozen process does.

const never = new Promise<never>(() => undefined);

/** @returns a gateway, and a function that freezes it */
function freezable(name: string): { readonly gateway: FakeGateway; freeze(): void } {
  let isFrozen = false;
  const gateway = fakeGateway(
    (request, server) => {
      if (request.headers.has("upgrade"))
        return server.upgrade(request, { data: undefined }) ? undefined : new Response();
      return isFrozen ? never : new Response(name);
    },
    () => (isFrozen ? never : 200),
  );
  return { gateway, freeze: () => void (isFrozen = true) };
}

test("a GET to a gateway that freezes moves to a ready one, and new requests do not go there", async () => {
  const [one, two] = [freezable("one"), freezable("two")];
  const balancer = await openBalancer([one.gateway.url, two.gateway.url]);
  stopAfterTest(balancer.stop);
  one.freeze();
  const texts = await Promise.all(Array.from({ length: 10 }, async () => (await fetch(balancer.url)).text()));
  expect(texts).toEqual(Array.from({ length: 10 }, () => "two"));
  expect(one.gateway.requests.length).toBeGreaterThan(0);
  expect(balancer.backends.list().map(({ state }) => state)).toEqual(["UNREADY", "READY"]);
  const asked = one.gateway.requests.length;
  for (let i = 0; i < 10; i += 1) await fetch(balancer.url);
  expect(one.gateway.requests).toHaveLength(asked);
  expect(balancer.backends.list().map(({ open }) => open)).toEqual([0, 0]);
}, 20_000);

test("a request to the only gateway ends with 504 if that is frozen, and its WebSockets with 1012, also when it has left the list", async () => {
  const { gateway, freeze } = freezable("one");
  const balancer = await openBalancer([gateway.url], { responseTimeoutMs: 1000 });
  stopAfterTest(balancer.stop);
  const socket = new WebSocket(`${balancer.url}/ws`);
  const closed = new Promise<number>((resolve) => (socket.onclose = ({ code }) => resolve(code)));
  await new Promise((resolve) => (socket.onmessage = resolve));
  freeze();
  setTimeout(() => balancer.list([]), 200);
  const answers = await Promise.all([fetch(balancer.url), fetch(balancer.url, { method: "POST", body: "x" })]);
  expect(await Promise.all(answers.map(errorOf))).toEqual([
    [504, "gateway_timeout"],
    [504, "gateway_timeout"],
  ]);
  expect(gateway.requests.filter(({ method }) => method === "POST")).toHaveLength(1);
  expect(await closed).toBe(1012);
}, 20_000);
