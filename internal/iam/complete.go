package iam

import "reflect"

// Complete panics when something that a room is made of is missing: a field of a
// struct that can be nil, and is. That is a mistake of the assembly.
func Complete(parts any) {
	v := reflect.ValueOf(parts)
	for i := range v.NumField() {
		switch v.Field(i).Kind() {
		case reflect.Pointer, reflect.Interface, reflect.Func, reflect.Map:
			if v.Field(i).IsNil() {
				panic(v.Type().String() + " lacks " + v.Type().Field(i).Name)
			}
		}
	}
}
