package situations

var healthy = []situation{
	{name: "a first login", happens: func(w *world) { w.refreshes("shop", w.login(w.b, "shop", nil)) }},
	{name: "single sign-on", ask: asked("desk"), happens: func(w *world) {
		w.login(w.b, "shop", nil)
		w.refreshes("desk", w.signsOn(w.b, "desk", nil))
	}},
}
