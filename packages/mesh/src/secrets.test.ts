import { describe, expect, test } from "vitest";
import { Keyring, type SealContent } from "./secrets.ts";

const content: SealContent = {
  role: "dialler",
  type: 2,
  transcript: new Uint8Array(32).fill(7),
  body: Uint8Array.of(1, 2, 3),
};

describe("a keyring", () => {
  test("names secrets alike wherever they are held, and unlike each other", () => {
    expect(new Keyring(["new", "old"]).ids).toEqual([
      ...new Keyring(["new"]).ids,
      ...new Keyring(["old"]).ids,
    ]);
    expect(new Set(new Keyring(["new", "old"]).ids).size).toBe(2);
  });

  test("key ids do not show the secret", () => {
    expect(new Keyring(["sesame"]).ids.join()).not.toContain("sesame");
    expect(new Keyring(["sesame"]).ids[0]).toMatch(/^[0-9a-f]{16}$/);
  });

  test("prefers its own order among the secrets in common", () => {
    const ring = new Keyring(["new", "old"]);
    const [newId, oldId] = ring.ids;
    expect(ring.common(new Keyring(["old", "new"]).ids)).toBe(newId);
    expect(ring.common(new Keyring(["old"]).ids)).toBe(oldId);
    expect(ring.common(new Keyring(["other"]).ids)).toBeUndefined();
  });

  test("a seal holds for its content alone", () => {
    const ring = new Keyring(["sesame", "other"]);
    const [id, otherId] = ring.ids as [string, string];
    const seal = ring.seal(id, content);
    expect(ring.verify(id, content, seal)).toBe(true);
    expect(ring.verify(otherId, content, seal)).toBe(false);
    expect(ring.verify(id, { ...content, role: "acceptor" }, seal)).toBe(false);
    expect(ring.verify(id, { ...content, type: 3 }, seal)).toBe(false);
    expect(ring.verify(id, { ...content, transcript: new Uint8Array(32) }, seal)).toBe(false);
    expect(ring.verify(id, { ...content, body: Uint8Array.of(1, 2) }, seal)).toBe(false);
    expect(ring.verify(id, content, seal.subarray(1))).toBe(false);
    expect(ring.verify(id, content, undefined)).toBe(false);
  });
});
