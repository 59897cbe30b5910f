/**
 * Builds elements. Text becomes text nodes and nothing else: no string that came from anyone is ever parsed as markup.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Gives an HTML element.
 *
 * @param {string} tag
 * @param {Record<string, string | boolean | ((event: Event) => void) | undefined>} [attributes]  a function is a
 *   listener, named like `onclick`; `true` is an attribute without a value; `false` and `undefined` leave it out
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** As `element`, for SVG. @returns {any} */
export function shape(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

/** The element of the page with that id. @returns {any} */
export function byId(id) {
  return document.getElementById(id);
}

/** Changes an element's text only if it differs, so that nothing is announced or laid out again for no reason. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets or removes an attribute, only if that changes anything. */
export function setAttribute(node, name, value) {
  if (value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/**
 * Makes `parent` show one child per item, in order. A child that is kept is neither made again nor moved without need, so
 * that focus, selection and animations survive.
 *
 * @template Item
 * @param {Element} parent
 * @param {readonly Item[]} items
 * @param {{ key: (item: Item) => string, create: (item: Item) => Element, update: (child: any, item: Item) => void }} how
 */
export function reconcile(parent, items, { key, create, update }) {
  const kept = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const itemKey = key(item);
    let child = kept.get(itemKey);
    kept.delete(itemKey);
    if (child === undefined) {
      child = create(item);
      child.dataset.key = itemKey;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  for (const child of kept.values()) child.remove();
}

function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}
