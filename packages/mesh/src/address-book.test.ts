import { describe, expect, test } from "vitest";
import { AddressBook } from "./address-book.ts";

const everything = () => true;
const addresses = (book: AddressBook) => [...book.entries()].map((entry) => entry.address);

describe("an address book", () => {
  test("believes a node about itself before it believes others about it", () => {
    const book = new AddressBook(["ws://x:1"], 10);
    book.learn("b", "ws://y:1", everything);
    expect(book.behind("b").map((entry) => entry.address)).toEqual(["ws://y:1"]);
    expect(book.answered("ws://y:1", "c")).toBe("b");
    book.learn("b", "ws://y:1", everything);
    expect(book.behind("b")).toEqual([]);
    expect(book.behind("c").map((entry) => entry.address)).toEqual(["ws://y:1"]);
    // What was configured is found out by dialling alone.
    book.learn("b", "ws://x:1", everything);
    expect(book.entry("ws://x:1")?.node).toBeUndefined();
  });

  test("stays bounded: the oldest learnt address where nobody answered gives way", () => {
    const book = new AddressBook(["ws://configured:1"], 4);
    book.learn("answered", "ws://answered:1", everything);
    book.answered("ws://answered:1", "answered");
    book.learn("old", "ws://old:1", everything);
    book.learn("new", "ws://new:1", everything);
    expect(book.learn("one more", "ws://more:1", everything)).toEqual({
      known: true,
      forgotten: "ws://old:1",
    });
    expect(addresses(book)).toEqual(["ws://configured:1", "ws://answered:1", "ws://new:1", "ws://more:1"]);
  });

  test("takes no more when nothing in it is dispensable", () => {
    const book = new AddressBook(["ws://configured:1"], 2);
    book.learn("a", "ws://a:1", everything);
    expect(book.learn("b", "ws://b:1", (entry) => entry.node !== "a")).toEqual({ known: false });
    expect(addresses(book)).toEqual(["ws://configured:1", "ws://a:1"]);
  });

  test("remembers an address that leads home, and finds nobody behind it", () => {
    const book = new AddressBook([], 2);
    book.learn("b", "ws://y:1", everything);
    book.leadsHome("ws://y:1");
    expect(book.behind("b")).toEqual([]);
    expect(book.entry("ws://y:1")?.self).toBe(true);
    book.answered("ws://y:1", "b");
    expect(book.behind("b")).toHaveLength(1);
  });

  test("forgets a node, but no configured address", () => {
    const book = new AddressBook(["ws://x:1"], 5);
    book.answered("ws://x:1", "b");
    book.learn("b", "ws://y:1", everything);
    expect(book.forget("b")).toEqual(["ws://y:1"]);
    expect(addresses(book)).toEqual(["ws://x:1"]);
  });
});
