// The phone's own store: posts that wait for a network, oldest first, each with its photos. Nothing leaves it unseen.
window.wkStore = (() => {
  const open = () => new Promise((resolve, reject) => {
    const request = indexedDB.open("watchkeep", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("posts", { keyPath: "seq", autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  let opened = null;
  const use = async (mode, act) => {
    const base = await (opened ??= open());
    return new Promise((resolve, reject) => {
      const transaction = base.transaction("posts", mode, { durability: "strict" });
      const request = act(transaction.objectStore("posts"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error || request.error);
    });
  };
  return {
    all: () => use("readonly", (posts) => posts.getAll()),
    add: (post) => use("readwrite", (posts) => posts.add(post)),
    put: (post) => use("readwrite", (posts) => posts.put(post)),
    remove: (seq) => use("readwrite", (posts) => posts.delete(seq)),
  };
})();
