"use strict";
// How values are written, the same way as in the part of the page that is made without a script.
const wording = {
  number: (value) => value.toLocaleString("en-US"),
  normal: (text) => text.normalize("NFC").toLowerCase(), // what is searched, and what is searched for
  time: (ms) => {
    const date = new Date(ms);
    return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString().replace("T", " ").replace("Z", " UTC");
  },
  took: (ms) => {
    if (ms < 1000) return `${ms} ms`;
    if (ms < 59950) return `${(ms / 1000).toFixed(1).replace(/\.0$/, "")} s`;
    const seconds = Math.round(ms / 1000);
    return seconds < 3600
      ? `${Math.floor(seconds / 60)} min ${seconds % 60} s`
      : `${wording.number(Math.floor(seconds / 3600))} h ${Math.floor((seconds % 3600) / 60)} min`;
  },
  base: (path) => path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1),
};
