package sessions

import "regexp"

// The patterns of ParseAgent, the special before the general. Names and
// versions are those that the reference showed for the agents in
// testdata/agents.json.

// v3 ends a pattern: up to three parts of a version.
const v3 = `(\d+)(?:\.(\d+)|)(?:\.(\d+)|)`

var systems = []agentRule{
	{pattern: regexp.MustCompile(`Windows NT 10\.0`), name: "Windows", version: "10"},
	{pattern: regexp.MustCompile(`Windows NT 6\.3`), name: "Windows", version: "8.1"},
	{pattern: regexp.MustCompile(`Windows NT 6\.2`), name: "Windows", version: "8"},
	{pattern: regexp.MustCompile(`Windows NT 6\.1`), name: "Windows", version: "7"},
	{pattern: regexp.MustCompile(`Windows NT 6\.0`), name: "Windows", version: "Vista"},
	{pattern: regexp.MustCompile(`Windows NT 5\.[12]`), name: "Windows", version: "XP"},
	{pattern: regexp.MustCompile(`Android[ \-/]` + v3), name: "Android"},
	{pattern: regexp.MustCompile(`Android`), name: "Android"},
	{pattern: regexp.MustCompile(`(?:iPhone|iPad|iPod).* OS (\d+)[._](\d+)(?:[._](\d+)|)`), name: "iOS"},
	{pattern: regexp.MustCompile(`iPhone|iPad|iPod|CFNetwork/.* Darwin/`), name: "iOS"},
	{pattern: regexp.MustCompile(`Mac OS X (\d+)[._](\d+)(?:[._](\d+)|)`), name: "Mac OS X"},
	{pattern: regexp.MustCompile(`Mac OS X`), name: "Mac OS X"},
	{pattern: regexp.MustCompile(`CrOS [a-z0-9_]+ ` + v3), name: "Chrome OS"},
	{pattern: regexp.MustCompile(`(?P<name>Ubuntu|Kubuntu|Fedora|Debian|CentOS|SUSE|Red Hat|Gentoo|Slackware)(?:[/ ]` + v3 + `|)`),
		name: "$1"},
	{pattern: regexp.MustCompile(`(?P<name>FreeBSD|OpenBSD|NetBSD|SunOS|Linux)`), name: "$1"},
}

var browsers = []agentRule{
	{pattern: regexp.MustCompile(`(?P<name>Googlebot|bingbot|YandexBot|Baiduspider)(?:/` + v3 + `|)`), name: "$1"},
	{pattern: regexp.MustCompile(`(?:EdgiOS|EdgA)/` + v3), name: "Edge Mobile"},
	{pattern: regexp.MustCompile(`Edge?/` + v3), name: "Edge"},
	{pattern: regexp.MustCompile(`Mobile.*OPR/` + v3), name: "Opera Mobile"},
	{pattern: regexp.MustCompile(`OPR/` + v3), name: "Opera"},
	{pattern: regexp.MustCompile(`Opera/9\.80.*Version/(\d+)\.(\d+)(?:\.(\d+)|)`), name: "Opera"},
	{pattern: regexp.MustCompile(`(?P<name>Vivaldi|HeadlessChrome|Electron)/` + v3), name: "$1"},
	{pattern: regexp.MustCompile(`YaBrowser/` + v3), name: "Yandex Browser"},
	{pattern: regexp.MustCompile(`SamsungBrowser/` + v3), name: "Samsung Internet"},
	{pattern: regexp.MustCompile(`Silk/` + v3), name: "Amazon Silk"},
	{pattern: regexp.MustCompile(`FxiOS/` + v3), name: "Firefox iOS"},
	{pattern: regexp.MustCompile(`CriOS/` + v3), name: "Chrome Mobile iOS"},
	{pattern: regexp.MustCompile(`(?:Mobile|Tablet);.*Firefox/` + v3), name: "Firefox Mobile"},
	{pattern: regexp.MustCompile(`Firefox/` + v3), name: "Firefox"},
	{pattern: regexp.MustCompile(`; wv\).+Chrome/` + v3), name: "Chrome Mobile WebView"},
	{pattern: regexp.MustCompile(`Chrome/` + v3 + `[\d.]* Mobile`), name: "Chrome Mobile"},
	{pattern: regexp.MustCompile(`(?P<name>Chromium|Chrome)/` + v3), name: "$1"},
	{pattern: regexp.MustCompile(`Trident/7\.0.*rv:(\d+)\.(\d+)`), name: "IE"},
	{pattern: regexp.MustCompile(`MSIE (\d+)\.(\d+)`), name: "IE"},
	{pattern: regexp.MustCompile(`(?:iPhone|iPad|iPod).*Version/` + v3 + `.*Safari`), name: "Mobile Safari"},
	{pattern: regexp.MustCompile(`(?:iPhone|iPad|iPod).*AppleWebKit`), name: "Mobile Safari UI/WKWebView"},
	{pattern: regexp.MustCompile(`Android[ \-/]` + v3), name: "Android"},
	{pattern: regexp.MustCompile(`Version/` + v3 + `.*Safari/`), name: "Safari"},
	{pattern: regexp.MustCompile(`python-requests/(\d+)\.(\d+)`), name: "Python Requests"},
	{pattern: regexp.MustCompile(
		`(?P<name>curl|Wget|Python-urllib|Go-http-client|Apache-HttpClient|okhttp|PostmanRuntime|axios|insomnia|Java)/` + v3), name: "$1"},
	{pattern: regexp.MustCompile(`^(?P<name>[^/;() ]+)/` + v3 + `[\d.]* CFNetwork/`), name: "$1"},
}

var devices = []agentRule{
	{pattern: regexp.MustCompile(`Googlebot|bingbot|YandexBot|Baiduspider|^Python-urllib|^Java/`), name: "Spider"},
	{pattern: regexp.MustCompile(`(?P<name>iPhone|iPad|iPod)`), name: "$1"},
	{pattern: regexp.MustCompile(`CFNetwork/.* Darwin/`), name: "iOS-Device"},
	{pattern: regexp.MustCompile(`Macintosh`), name: "Mac"},
	{pattern: regexp.MustCompile(`Android.*; wv\)|Android \d+; Mobile;`), name: "Generic Smartphone"},
	{pattern: regexp.MustCompile(`Android \d+; Tablet;`), name: "Generic Tablet"},
	{pattern: regexp.MustCompile(`Android.*; KF[A-Z]+`), name: "Kindle"},
	{pattern: regexp.MustCompile(`Android.*; (?P<name>(?:SM-[A-WYZ]|GT-)[^;)]*?)(?: Build.*|)\)`), name: "Samsung $1"},
	{pattern: regexp.MustCompile(`Android.*; (?P<name>(?:Redmi|POCO|Mi) [^;)]*?)(?: Build.*|)\)`), name: "XiaoMi $1"},
	{pattern: regexp.MustCompile(`Android.*; moto (?P<name>[a-z]\([^)]*\)[^;)]*)`), name: "Motorola $1"},
	{pattern: regexp.MustCompile(`Android.*; (?P<name>[^;)]+?)(?: Build.*|)\)`), name: "$1"},
}
