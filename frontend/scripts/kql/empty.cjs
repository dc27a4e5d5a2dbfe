// What Kusto's runtime finds where node would have "fs"; it never calls it in a browser.
module.exports = {};
