import { describe, expect, test } from "bun:test";
import { readInventoryFile } from "../../src/pipeline/upkeep/inventory-file.ts";

describe("the inventory's file", () => {
  test("declares hosts with a number of GPUs, and devices, in the cluster of the line or the default one", () => {
    const text = '\uFEFFhostname,gpus,uuid,cluster\r\n# rack 1\r\ngpu-01,8,,lab\r\n"gpu-02",,GPU-1,\r\n\r\n';
    expect(readInventoryFile(text, "home")).toEqual({
      items: [
        { clusterId: "lab", hostname: "gpu-01", uuid: "", gpus: 8 },
        { clusterId: "home", hostname: "gpu-02", uuid: "GPU-1", gpus: undefined },
      ],
      unusable: [],
    });
  });

  test("has each bad line reported, and none of them takes a good one down", () => {
    const bad = [
      "gpu-02,,",
      "gpu-03,8,GPU-3",
      "gpu-04,0,",
      "gpu-05,8x,",
      ",8,",
      "gpu-06,8",
      'gpu-07,"8,',
      "gpu-01,4,",
      "gpu\u200b-09,4,",
    ];
    const { items, unusable } = readInventoryFile(
      ["hostname,gpus,uuid", "gpu-01,8,", ...bad, "gpu-08,,GPU-8"].join("\n"),
      "lab",
    );
    expect(items.map(({ hostname }) => hostname)).toEqual(["gpu-01", "gpu-08"]);
    expect(unusable.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '3 uuid is "" and gpus is ""; expected one of the two: the uuid of a device, or the number of a host\'s GPUs',
      '4 uuid is "GPU-3" and gpus is "8"; expected one of the two: the uuid of a device, or the number of a host\'s GPUs',
      '5 gpus is "0"; expected a whole number from 1 to 1024',
      '6 gpus is "8x"; expected a whole number from 1 to 1024',
      "7 hostname is empty",
      "8 it has 2 fields; the header has 3",
      '9 "gpu-07,\\"8," is not CSV',
      "10 line 2 declares the same already",
      '11 "gpu\\u200b-09" has a character that is not seen, so nothing can report it',
    ]);
  });

  test.each([
    ["", "it is empty"],
    ["gpu-01,8,lab", 'its first line is "gpu-01,8,lab"; expected a header'],
    ["hostname,cluster\n", "expected a header with hostname, uuid or gpus"],
    ["hostname,gpus\ngpu-01,\ngpu-02,", "none of its 2 lines can be used; line 2: "],
  ])("that may be unfinished is refused as a whole: %j", (text, message) => {
    expect(() => readInventoryFile(text, "lab")).toThrow(message);
  });

  test("with a header alone declares nothing", () => {
    expect(readInventoryFile("hostname,uuid\n", "lab")).toEqual({ items: [], unusable: [] });
  });
});
